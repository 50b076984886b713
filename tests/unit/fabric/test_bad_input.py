"""Bad input of every kind to the running command: never a crash, never a PASS, always named."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from sunk.assess.bundle import Kept, pack
from sunk.assess.evidence import evidence_of
from sunk.assess.verdict import Verdict
from sunk.cli.app import app
from sunk.clients import evidence_files
from sunk_fabric.parse import formats
from tests.support.fabric_texts import FOLDER, fixtures
from tests.support.simulated_fabric import eight_rail, two_level

ALWAYS = {"evidence.known"}
"""That every file is of a known format stays true whatever stands in it."""
IBSTAT = (FOLDER / "ibstat" / "two-adapters.txt").read_bytes()
TEXTS = {one.format: one.content for one in fixtures()}


def run(folder, *options):
    """Return exit code, findings and the raw output of the command."""
    result = CliRunner().invoke(app, ["fabric", "check", str(folder), "--output", "json", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, json.loads(result.stdout)["findings"], result.stdout


def by_hand(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def collected(folder, *texts):
    """Write texts as a collection: (format, content, exit code, host, time)."""
    kept = [
        Kept(
            evidence=evidence_of(content, command=(name,), host=host, at=at, exit_code=code),
            output=content,
        )
        for name, content, code, host, at in texts
    ]
    evidence_files.write(folder / "site", pack(kept))
    return folder / "site"


def passed(findings):
    return {one["check"] for one in findings if one["verdict"] == Verdict.PASS} - ALWAYS


def named(findings, check):
    return [
        (one["verdict"], one["subject"], one["found"]) for one in findings if one["check"] == check
    ]


@pytest.mark.parametrize("name", sorted(formats.BY_NAME))
def test_empty_output_with_exit_code_0(name, tmp_path):
    folder = collected(tmp_path, (name, b"", 0, "gpu001", "2026-11-21T07:04:15Z"))
    code, findings, _ = run(folder)
    # No adapter at all is what an empty ibstat says.
    assert (code, passed(findings)) == (1 if name == "ibstat" else 5, set())
    ((verdict, _, found),) = named(findings, "evidence.sound")
    assert (verdict, found.rpartition(": ")[2]) == ("UNKNOWN", "the output is empty")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ibnetdiscover", b"ibnetdiscover: invalid option -- 'z'\n", "not understood"),
        ("ibstat", IBSTAT.replace(b"Link layer:", b"Layer of the link:"), "has no"),
        ("ibqueryerrors", b"Errors for 0xe8ebd30300a10000 leaf 1\n", "no summary"),
        ("nvidia_smi", TEXTS["nvidia_smi"].replace(b"nvidia_smi_log", b"rocm_smi_log"), "about"),
        ("ip_link", b"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue\n", "not the JSON"),
        ("chronyc", TEXTS["timedatectl"], "no leap status"),
        ("slurm_nodes", b"slurm_load_node error: Zero Bytes were transmitted\n", "not understood"),
    ],
)
def test_wrong_version_of_a_tool(name, content, words, tmp_path):
    code, findings, _ = run(by_hand(tmp_path, {f"gpu001/{name}.txt": content}))
    assert (code, passed(findings)) == (5, set())
    ((verdict, subject, found),) = named(findings, "evidence.sound")
    assert (verdict, subject) == ("UNKNOWN", f"evidence/gpu001/{name}.txt")
    assert words in found


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("ibstat", b"State: Active", "État: Actif".encode()),
        ("chronyc", b"0.000012417 seconds slow", b"0,000012417 seconds slow"),
        ("df", b"Filesystem", "Système de fichiers".encode()),
        ("ibstat", b"Port GUID", "端口 GUID".encode("gb18030")),
        ("proc_limits", b"unlimited", "unbegrenzt".encode("utf-16")),
    ],
)
def test_mixed_locales(name, old, new, tmp_path):
    assert old in TEXTS[name]
    text = TEXTS[name].replace(old, new)
    code, findings, _ = run(by_hand(tmp_path, {f"gpu001/{name}.txt": text}))
    assert (code, passed(findings)) == (5, set())
    assert named(findings, "evidence.sound")[0][0] == "UNKNOWN"


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_truncated_scan(share, tmp_path):
    text = eight_rail().text()
    cut = text[: int(len(text) * share)]
    code, findings, _ = run(by_hand(tmp_path, {"ibnetdiscover.txt": cut}))
    assert (code, passed(findings)) == (5, set())
    assert named(findings, "evidence.sound")[0][0] == "UNKNOWN"


@pytest.mark.parametrize(
    "name", sorted(one.format for one in fixtures() if one.path.suffix == ".txt")
)
def test_truncated_text(name, tmp_path):
    cut = TEXTS[name].rstrip()[:-1]
    code, findings, _ = run(by_hand(tmp_path, {f"gpu001/{name}.txt": cut}))
    assert (code, passed(findings)) == (5, set())
    assert named(findings, "evidence.sound")[0][0] == "UNKNOWN"


def test_duplicate_guids(tmp_path):
    text = two_level(leaves=2, hosts_per_leaf=2).text()
    first, second = re.findall(rb'Ca\t1 "H-(\w+)"', text)[:2]
    code, findings, _ = run(by_hand(tmp_path, {"ibnetdiscover.txt": text.replace(second, first)}))
    assert code in {1, 5}
    verdicts = {one[0] for one in named(findings, "ib.guid.unique")}
    assert verdicts & {"FAIL", "UNKNOWN"}
    assert "PASS" not in verdicts
    assert not {one for one in passed(findings) if one.startswith("ib.topology")}


def test_default_node_descriptions(tmp_path):
    text = two_level(leaves=2, hosts_per_leaf=2).text()
    text = re.sub(rb'"node\d+ mlx5_\d+"', b'"MT4129 ConnectX7   Mellanox Technologies"', text)
    assert b"ConnectX7" in text
    code, findings, _ = run(by_hand(tmp_path, {"ibnetdiscover.txt": text}))
    assert code == 1
    assert {one[0] for one in named(findings, "ib.nodedesc.sane")} == {"FAIL"}


def counters(**values):
    port = {
        "number": 1,
        "values": {"state": "4: ACTIVE", "phys_state": "5: LinkUp", "rate": "400 Gb/sec (4X NDR)"},
        "counters": {"symbol_error": 0, "link_downed": 0, **values},
    }
    return json.dumps({"has_rdma": True, "devices": [{"name": "mlx5_0", "ports": [port]}]}).encode()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"symbol_error": 65535}, {"symbol_error": 65535}, "symbol_error stood at the maximum"),
        ({"link_downed": 255}, {"link_downed": 255}, "link_downed stood at the maximum"),
        ({"symbol_error": 9}, {"symbol_error": 2}, "symbol_error went down"),
    ],
    ids=["16 bits", "8 bits", "went down"],
)
def test_counters_at_their_maximum_or_lower_than_before(before, after, words, tmp_path):
    times = ("2026-11-21T07:04:15Z", "2026-11-21T08:04:15Z")
    texts = [
        ("sysfs_rdma", counters(**each), 0, "gpu001", at)
        for each, at in zip((before, after), times, strict=True)
        if at == times[0] or each != before
    ]
    if before == after:
        texts.append(("sysfs_rdma", counters(**after) + b"\n", 0, "gpu001", times[1]))
    code, findings, _ = run(collected(tmp_path, *texts))
    ((verdict, subject, found),) = named(findings, "rdma.counters.delta")
    assert (code, verdict, subject) == (5, "UNKNOWN", "node/gpu001/mlx5_0/1")
    assert words in found


def test_clocks_apart(tmp_path):
    record = json.loads(TEXTS["collection"])
    hosts = [one for one in record["hosts"] if one["outcome"] == "collected"]
    hosts[0]["clock_seconds"] = 4000
    files = {"collection.json": json.dumps(record).encode()}
    _, findings, _ = run(by_hand(tmp_path, files))
    said = [
        one for one in named(findings, "evidence.hosts") if one[1] == f"node/{hosts[0]['host']}"
    ]
    assert [(one[0], one[2]) for one in said] == [("WARN", "its clock is 4000 s ahead")]


def test_hosts_that_answer_for_another(tmp_path):
    files = {"gpu001/ibstat.txt": IBSTAT, "gpu002/ibstat.txt": IBSTAT}
    code, findings, _ = run(by_hand(tmp_path, files))
    said = named(findings, "evidence.identity")
    assert code == 1
    assert {one[:2] for one in said} == {("FAIL", "node/gpu001"), ("FAIL", "node/gpu002")}
    assert all("the texts of gpu001 and the texts of gpu002" in one[2] for one in said)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x1b[31m\x1b]0;title\x07gpu mlx5_0",
        b"<script>alert(1)</script> mlx5_0",
        b"A" * 65_536,
        "gpu\u202e\u2028 mlx5_0".encode(),
        b"\xff\xfe\x00 mlx5_0",
    ],
    ids=["escapes", "html", "64 kB", "direction", "no text"],
)
def test_hostile_node_descriptions(hostile, tmp_path):
    text = two_level(leaves=2, hosts_per_leaf=2).text()
    (name, *_) = re.findall(rb'Ca\t1 "H-\w+"\s+# "([^"]+)"', text)
    files = {"ibnetdiscover.txt": text.replace(b'"' + name + b'"', b'"' + hostile + b'"')}
    code, findings, output = run(by_hand(tmp_path, files))
    assert code in {1, 5}
    told = json.dumps(findings, ensure_ascii=False)
    assert "\x1b" not in told + output
    assert "\u202e" not in told and "\u2028" not in told
    assert len(told) < 2_000_000
    ((verdict, _, found),) = named(findings, "ib.nodedesc.sane")
    assert verdict == ("BLOCKED" if len(hostile) > 8192 else "FAIL")
    assert "PASS" not in {one[0] for one in named(findings, "evidence.sound")} or verdict == "FAIL"
    assert "mlx5_0" in found or len(hostile) > 8192


def test_hostile_description_on_the_terminal(tmp_path):
    text = two_level(leaves=2, hosts_per_leaf=2).text()
    (name, *_) = re.findall(rb'Ca\t1 "H-\w+"\s+# "([^"]+)"', text)
    hostile = text.replace(name, b"\x1b[2Jgpu mlx5_0")
    folder = by_hand(tmp_path, {"ibnetdiscover.txt": hostile})
    result = CliRunner().invoke(app, ["fabric", "check", str(folder), "--all"])
    assert "\x1b[2J" not in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
