"""Checks on folders of texts: the verdict, its subject, and why."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.assess.bundle import Kept, pack
from sunk.assess.check import Proof
from sunk.assess.evidence import evidence_of
from sunk.assess.judge import NOT_IMPLEMENTED, is_unjudged, judge
from sunk.assess.verdict import Verdict
from sunk.errors import InputError
from sunk_fabric import folder as folders
from sunk_fabric.catalogue.all import BY_ID, CHECKS
from sunk_fabric.catalogue.unjudged import WHY
from sunk_fabric.checks.judges import JUDGES, catalogue
from sunk_fabric.expected import Expected
from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.topology.fabric import build
from sunk_fabric.topology.intended import intended_of
from tests.support.examples import examples
from tests.support.fabric_checks import every
from tests.support.fabric_texts import FOLDER, fixtures, text
from tests.support.simulated_fabric import Place, eight_rail

IBSTAT = (FOLDER / "ibstat" / "two-adapters.txt").read_bytes()
HEALTHY_IBSTAT = (
    IBSTAT.replace(b"Down", b"Active").replace(b"Polling", b"LinkUp").replace(b"40 (FDR10)", b"400")
)


# --- the catalogue


def test_ids_are_stable_words_and_every_check_says_all_there_is():
    for one in CHECKS:
        assert one.id.replace(".", "").replace("_", "").isalnum()
        for words in (one.title, one.proves, one.reads, one.criterion.rule, one.remedy):
            assert words
            assert words == words.strip()
        assert one.criterion.source


def test_no_check_claims_a_proof_that_no_fixture_gives():
    """Recorded is what needs no RDMA hardware, soft-RoCE's too; all else is simulated."""
    claimed = {one.id for one in CHECKS if one.proof is not Proof.DOCUMENTED}
    recorded = {one.format for one in fixtures() if one.origin is Proof.RECORDED}
    assert recorded == {
        *("collection", "fio", "ibstat", "ibv_devinfo", "ip_link", "iperf3"),
        *("ldconfig", "opensm_conf", "pci_tree", "perftest"),
        *("proc_limits", "proc_modules", "rdma_link", "rdma_system", "task_cpus", "training"),
        *("collectives", "job_places", "slurm_events", "slurm_nodes", "slurm_topology"),
    }
    assert {one.id for one in CHECKS if one.proof is Proof.RECORDED} == {
        *("evidence.hosts", "host.limits.memlock", "host.modules", "ib.shield.enabled"),
        *("rdma.device.present", "rdma.mtu.active", "rdma.netns"),
        *("rdma.pair.bandwidth", "rdma.pair.latency"),
        *("rdma.port.rate", "rdma.port.state", "rdma.port.uniform"),
        *("roce.gid.v2", "roce.mtu.path", "storage.bandwidth"),
        *("runtime.pmi", "sched.drain_loop", "sched.gang", "sched.state"),
        "sched.topology_address",
    }
    assert claimed <= set(JUDGES)
    assert {one.partition(".")[0] for one in claimed} == {
        *(
            "evidence",
            "host",
            "ib",
            "pair",
            "rdma",
            "roce",
            "runtime",
            "sched",
            "sharp",
            "sriov",
            "storage",
        ),
    }


def test_every_check_has_a_judge_or_a_reason_why_not():
    assert set(WHY) == set(BY_ID) - set(JUDGES)


def test_check_without_a_judge_is_never_pass_and_says_why(tmp_path):
    found = every(tmp_path, {"ibnetdiscover.txt": eight_rail().text()})
    unjudged = [one for one in found if one.check not in JUDGES]
    assert {one.verdict for one in unjudged} == {Verdict.UNKNOWN}
    said = {one.check: one.found for one in unjudged}
    assert said == {name: f"{NOT_IMPLEMENTED}: {why}" for name, why in WHY.items()}
    assert unjudged == [one for one in found if is_unjudged(one)]


@pytest.mark.parametrize("name", sorted(JUDGES))
def test_without_its_texts_no_check_is_good(name, check):
    found = check(name, {"readme.txt": b"nothing here\n"})
    assert found
    assert {verdict for verdict, _, _ in found}.isdisjoint({Verdict.PASS, Verdict.SKIP})


@pytest.mark.parametrize("one", fixtures(), ids=lambda one: f"{one.format}-{one.name}")
def test_damaged_text_never_gives_a_pass(one, tmp_path):
    damaged = one.content[:-2] + b"\x00\xff???"
    found = every(tmp_path, {f"gpu001/{one.format}.x.txt": damaged})
    passed = {each.check for each in found if each.verdict is Verdict.PASS}
    assert passed <= {"evidence.known"}
    assert [each.verdict for each in found if each.check == "evidence.sound"] == [Verdict.UNKNOWN]


@pytest.mark.parametrize("one", fixtures(), ids=lambda one: f"{one.format}-{one.name}")
def test_command_that_failed_never_gives_a_pass(one, tmp_path):
    """The same whole text, from a command that ended with an exit code of its own."""
    kept = Kept(
        evidence=evidence_of(one.content, command=(one.format,), host="gpu001", exit_code=99),
        output=one.content,
    )
    found = every(tmp_path, pack([kept]))
    assert {each.check for each in found if each.verdict is Verdict.PASS} <= {"evidence.known"}


@given(data=st.data())
@settings(max_examples=examples(25))
def test_whatever_evidence_is_taken_away_no_answer_rests_on_it(data):
    facts, evidence = whole_site()
    left = data.draw(st.sets(st.sampled_from(sorted(one.id for one in evidence))))
    found = judge(catalogue(facts), facts, left)
    assert all(
        one.evidence and set(one.evidence) <= left
        for one in found
        if one.verdict in {Verdict.PASS, Verdict.WARN}
    )


@cache
def whole_site():
    """Return facts and evidence of a folder with every fixture and a healthy fabric."""
    with TemporaryDirectory() as name:
        files = {f"gpu001/{one.format}.{one.name}.txt": one.content for one in fixtures()}
        del files["gpu001/ibnetdiscover.rails.txt"]
        every(Path(name), {**files, "ibnetdiscover.txt": eight_rail().text()})
        return folders.read(Path(name))


# --- evidence and folders


def test_file_that_nobody_reads_is_named(check):
    assert check("evidence.known", {"gpu001/notes.md": b"x"}) == [
        (Verdict.WARN, "evidence/gpu001/notes.md", "no format is called so")
    ]


def test_host_that_answers_for_another_is_named(check):
    files = {"gpu001/ibstat.txt": HEALTHY_IBSTAT}
    assert [one[:2] for one in check("evidence.identity", files)] == [(Verdict.PASS, "node/gpu001")]
    found = check("evidence.identity", {**files, "gpu002/ibstat.txt": HEALTHY_IBSTAT})
    assert {one[:2] for one in found} == {
        (Verdict.FAIL, "node/gpu001"),
        (Verdict.FAIL, "node/gpu002"),
    }


def test_host_that_the_scan_calls_otherwise_is_named(check):
    fabric = eight_rail()
    fabric.guids["gpu0003 mlx5_0"] = 0xA088C20300001000
    files = {"ibnetdiscover.txt": fabric.text(), "gpu001.site/ibstat.txt": HEALTHY_IBSTAT}
    ((verdict, subject, words),) = check("evidence.identity", files)
    assert (verdict, subject) == (Verdict.FAIL, "node/gpu001.site")
    assert words.endswith("is in the texts of gpu001.site, and the scan says gpu0003")


def test_host_with_its_domain_is_the_one_that_the_scan_names(check):
    fabric = eight_rail()
    fabric.guids["gpu0003 mlx5_0"] = 0xA088C20300001000
    files = {"ibnetdiscover.txt": fabric.text(), "gpu0003.site/ibstat.txt": HEALTHY_IBSTAT}
    assert [one[0] for one in check("evidence.identity", files)] == [Verdict.PASS]


def test_changed_bundle_is_refused_whole(tmp_path):
    kept = Kept(evidence=evidence_of(IBSTAT, command=("ibstat",), host="gpu001"), output=IBSTAT)
    files = pack([kept])
    (raw,) = [name for name in files if name.endswith(".out")]
    with pytest.raises(InputError, match="its bytes are not those of the digest"):
        every(tmp_path, {**files, raw: IBSTAT + b"x"})


def test_bundle_is_read_by_the_commands_of_its_manifest(tmp_path):
    kept = [
        Kept(
            evidence=evidence_of(content, command=command, host="gpu001", exit_code=0),
            output=content,
        )
        for command, content in (
            (("/usr/sbin/ibstat",), HEALTHY_IBSTAT),
            (("ip", "-d", "-j", "link"), text("ip_link", "namespace")),
            (("nproc", "--all"), b"6.1\n"),
        )
    ]
    found = every(tmp_path, pack(kept), only=["evidence.known", "rdma.port.state"])
    own = [one for one in found if not one.check.startswith("ib.")]
    assert [(one.check, one.verdict, one.subject) for one in own] == [
        ("evidence.known", Verdict.WARN, f"evidence/raw/{kept[2].evidence.id}.out (nproc --all)"),
        ("rdma.device.present", Verdict.PASS, "node/gpu001"),
        ("rdma.port.state", Verdict.PASS, "node/gpu001/mlx5_0/1"),
        ("rdma.port.state", Verdict.PASS, "node/gpu001/mlx5_1/1"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rdma_mtu: 4096\n", "'rdma_mtu' is no key"),
        (b"rdma_mtu_bytes: many\n", "Expected `int`, got `str`"),
        (b"- x\n", "it is no mapping"),
        (b"a: b: c\n", "it is no YAML"),
    ],
)
def test_declaration_that_cannot_be_meant_is_refused(content, message, tmp_path):
    file = tmp_path / "site.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        folders.read_expected(file)


def test_declaration_is_read(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text("port_gbit_per_s: 400\nnot_applicable: {sharp: not bought}\n")
    assert folders.read_expected(file) == Expected(
        port_gbit_per_s=400, not_applicable={"sharp": "not bought"}
    )


def test_what_a_site_does_not_have_is_skip_with_its_reason(check):
    found = check(
        "sriov.vf.count", {"a.txt": b""}, Expected(not_applicable={"sriov": "no SR-IOV here"})
    )
    assert found == [(Verdict.SKIP, "", "no SR-IOV here")]


def test_unknown_prefix_lists_the_groups(tmp_path):
    with pytest.raises(InputError, match="none is called 'ibb'"):
        every(tmp_path, {"a.txt": b""}, only=["ibb"])


# --- ports


def test_port_that_is_down_blocks_its_rate_and_not_its_neighbours(tmp_path):
    found = every(tmp_path, {"gpu001/ibstat.txt": IBSTAT}, only=["rdma.port.rate"])
    assert [
        (one.check, one.verdict, one.subject) for one in found if one.check.startswith("rdma.port")
    ] == [
        ("rdma.port.rate", Verdict.PASS, "node/gpu001/mlx5_0/1"),
        ("rdma.port.rate", Verdict.BLOCKED, "node/gpu001/mlx5_1/1"),
        ("rdma.port.state", Verdict.PASS, "node/gpu001/mlx5_0/1"),
        ("rdma.port.state", Verdict.FAIL, "node/gpu001/mlx5_1/1"),
    ]


def test_ports_behind_a_dead_switch_wait_for_the_switch(tmp_path):
    fabric = eight_rail()
    plan = intended_of(build(ibnetdiscover.parse(fabric.text()).value))
    for leaf in ("su0-leaf0", "su0-leaf1"):
        behind = [far.node for at, far in fabric.peers.items() if at.node == leaf]
        for node in (leaf, *(one for one in behind if fabric.is_host(one))):
            fabric.remove(node)
    down = HEALTHY_IBSTAT.replace(b"State: Active", b"State: Down")
    files = {"ibnetdiscover.txt": fabric.text(), "gpu0003/ibstat.txt": down}
    only = ["rdma.port.state", "ib.switches.complete"]
    assert [
        (one.check, one.verdict, one.subject, one.blocked_by)
        for one in every(tmp_path, files, intended=plan, only=only)
        if one.check in only
    ] == [
        ("ib.switches.complete", Verdict.FAIL, "switch/su0-leaf0", ()),
        ("ib.switches.complete", Verdict.FAIL, "switch/su0-leaf1", ()),
        *(
            ("rdma.port.state", Verdict.BLOCKED, f"node/gpu0003/mlx5_{rail}/1", (only[1],))
            for rail in (0, 1)
        ),
    ]


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("Initializing", "waits for a subnet manager"),
        ("Down", "look at the cable"),
    ],
)
def test_remedy_of_a_port_follows_its_state(state, remedy, tmp_path):
    content = HEALTHY_IBSTAT.replace(b"State: Active", f"State: {state}".encode(), 1)
    found = every(tmp_path, {"gpu001/ibstat.txt": content}, only=["rdma.port.state"])
    (failed,) = [one for one in found if one.verdict is Verdict.FAIL]
    assert remedy in failed.remedy


def test_ibstat_that_ended_well_and_printed_nothing_means_no_device(tmp_path):
    kept = Kept(
        evidence=evidence_of(b"", command=("ibstat",), host="gpu001", exit_code=0), output=b""
    )
    found = every(tmp_path, pack([kept]), only=["rdma.device.present"])
    assert [(one.verdict, one.subject) for one in found] == [(Verdict.FAIL, "node/gpu001")]


def test_empty_file_of_unknown_exit_code_is_unknown(check):
    ((verdict, subject, found),) = check("rdma.device.present", {"gpu001/ibstat.txt": b""})
    assert (verdict, subject) == (Verdict.UNKNOWN, "node/gpu001")
    assert found == "gpu001/ibstat.txt: the output is empty"


def test_host_with_fewer_adapters_than_the_others_fails(check):
    one_adapter = HEALTHY_IBSTAT[: HEALTHY_IBSTAT.index(b"CA 'mlx5_1'")]
    files = {f"gpu00{number}/ibstat.txt": HEALTHY_IBSTAT for number in (1, 2)}
    found = check("rdma.device.present", {**files, "gpu003/ibstat.txt": one_adapter})
    assert [verdict for verdict, _, _ in found] == [Verdict.PASS, Verdict.PASS, Verdict.FAIL]
    assert found[2][1:] == ("node/gpu003", "1 RDMA devices, 2 on most hosts")


def test_declared_rate_outranks_the_majority(check):
    found = check(
        "rdma.port.rate", {"gpu001/ibstat.txt": HEALTHY_IBSTAT}, Expected(port_gbit_per_s=800)
    )
    assert {verdict for verdict, _, _ in found} == {Verdict.FAIL}


def test_minority_of_rates_is_blocked_by_the_port_that_causes_it(tmp_path):
    slow = HEALTHY_IBSTAT.replace(b"Rate: 400", b"Rate: 200", 1)
    files = {f"gpu00{number}/ibstat.txt": HEALTHY_IBSTAT for number in (1, 2)}
    found = every(tmp_path, {**files, "gpu003/ibstat.txt": slow}, only=["rdma.port.uniform"])
    bad = [(one.check, one.verdict) for one in found if one.subject.startswith("node/gpu003")]
    assert bad.count(("rdma.port.rate", Verdict.FAIL)) == 1
    assert ("rdma.port.uniform", Verdict.BLOCKED) in bad
    assert [one.check for one in found if one.verdict is Verdict.FAIL] == ["rdma.port.rate"]


# --- counters


def snapshot(**counters):
    return {
        "has_rdma": True,
        "devices": [
            {
                "name": "mlx5_0",
                "values": {"fw_ver": "28.42.1000", "board_id": "MT_1"},
                "numa_node": 0,
                "pci": [
                    {
                        "address": "0000:9c:00.0",
                        "values": {
                            "current_link_speed": "32.0 GT/s PCIe",
                            "max_link_speed": "32.0 GT/s PCIe",
                            "current_link_width": "16",
                            "max_link_width": "16",
                        },
                    }
                ],
                "ports": [
                    {
                        "number": 1,
                        "values": {
                            "state": "4: ACTIVE",
                            "phys_state": "5: LinkUp",
                            "rate": "400 Gb/sec (4X NDR)",
                        },
                        "counters": {"symbol_error": 0, "link_downed": 0, **counters},
                    }
                ],
            }
        ],
    }


def two_readings(before, after):
    return pack(
        Kept(
            evidence=evidence_of(
                json.dumps(content).encode(),
                command=("python3", "-m", "sunk_jobs.sysfs_rdma"),
                host="gpu001",
                at=f"2026-11-21T07:0{minute}:00Z",
                exit_code=0,
            ),
            output=json.dumps(content).encode(),
        )
        for minute, content in enumerate((before, after))
    )


@pytest.mark.parametrize(
    ("before", "after", "verdict", "words"),
    [
        ({}, {}, Verdict.PASS, "2 counters stood still"),
        ({}, {"symbol_error": 3}, Verdict.FAIL, "symbol_error +3"),
        ({}, {"port_xmit_wait": 9}, Verdict.WARN, "port_xmit_wait +9"),
        ({"symbol_error": 5}, {"symbol_error": 2}, Verdict.UNKNOWN, "symbol_error went down"),
        (
            {"symbol_error": 65535},
            {"symbol_error": 65535},
            Verdict.UNKNOWN,
            "symbol_error stood at the maximum",
        ),
        (
            {"link_downed": 255},
            {"link_downed": 255, "symbol_error": 1},
            Verdict.FAIL,
            "symbol_error +1",
        ),
    ],
)
def test_growth_of_counters_is_judged(before, after, verdict, words, check):
    ((got, subject, found),) = check(
        "rdma.counters.delta", two_readings(snapshot(**before), snapshot(**after))
    )
    assert (got, subject) == (verdict, "node/gpu001/mlx5_0/1")
    assert found.startswith(words)


def test_one_reading_of_counters_is_unknown(check):
    ((verdict, _, found),) = check("rdma.counters.delta", {"gpu001/sysfs_rdma.txt": snapshot()})
    assert (verdict, found[:11]) == (Verdict.UNKNOWN, "one reading")


def test_two_firmware_versions_of_a_board_are_a_warning(check):
    other = snapshot()
    other["devices"][0]["values"]["fw_ver"] = "28.40.1000"
    found = check(
        "rdma.fw.uniform",
        {"gpu001/sysfs_rdma.txt": snapshot(), "gpu002/sysfs_rdma.txt": other},
    )
    assert found == [
        (Verdict.WARN, "firmware/MT_1", "firmware 28.40.1000 on 1, 28.42.1000 on 1 cards")
    ]


# --- PCIe and locality


def with_bridge(current="32.0 GT/s PCIe", width="16", best="32.0 GT/s PCIe"):
    made = snapshot()
    made["devices"][0]["pci"][0]["values"]["current_link_speed"] = current
    made["devices"][0]["pci"][0]["values"]["current_link_width"] = width
    made["devices"][0]["pci"].append(
        {
            "address": "0000:97:01.0",
            "values": {
                "current_link_speed": best,
                "max_link_speed": best,
                "current_link_width": "16",
                "max_link_width": "16",
            },
        }
    )
    return made


@pytest.mark.parametrize(
    ("made", "verdict", "words"),
    [
        (with_bridge(), Verdict.PASS, "32 GT/s x16, 2 links"),
        (
            with_bridge(width="8"),
            Verdict.FAIL,
            "between 0000:9c:00.0 and 0000:97:01.0: 32 GT/s x8, both could 32 GT/s x16",
        ),
        # A Gen4 slot is what the machine is: no fault of the link, and too little for the port.
        (with_bridge(current="16.0 GT/s PCIe", best="16.0 GT/s PCIe"), Verdict.WARN, "16 GT/s"),
        (with_bridge(current="16.0 GT/s PCIe"), Verdict.FAIL, "between"),
        (with_bridge(current="Unknown"), Verdict.UNKNOWN, "0000:9c:00.0 does not tell its link"),
    ],
)
def test_pcie_link_is_judged_by_what_both_ends_could(made, verdict, words, check):
    ((got, subject, found),) = check("pcie.link.hca", {"gpu001/sysfs_rdma.txt": made})
    assert (got, subject) == (verdict, "node/gpu001/mlx5_0")
    assert found.startswith(words)


def test_access_control_is_judged_at_the_bridges_of_the_adapter(check):
    files = {
        "gpu001/sysfs_rdma.txt": with_bridge(),
        "gpu001/lspci.txt": text("lspci", "hca"),
    }
    assert check("pcie.acs", files) == [
        (Verdict.FAIL, "node/gpu001/mlx5_0", "source validation is on at 0000:97:01.0")
    ]


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (b"", b"", Verdict.PASS),
        (b"RlxdOrd+ ExtTag+ PhantFunc- AuxPwr- NoSnoop+ FLR", b"RlxdOrd- FLR", Verdict.WARN),
    ],
)
def test_relaxed_ordering_is_read_at_the_adapter(old, new, verdict, check):
    content = text("lspci", "hca").replace(old, new) if old else text("lspci", "hca")
    found = check("pcie.relaxed_ordering", {"gpu001/lspci.txt": content})
    assert [(one, subject) for one, subject, _ in found] == [(verdict, "node/gpu001/0000:9c:00.0")]


def test_small_read_requests_are_a_warning(check):
    content = text("lspci", "hca").replace(b"MaxReadReq 4096", b"MaxReadReq 512")
    found = check("pcie.max_read_request", {"gpu001/lspci.txt": content})
    assert [verdict for verdict, _, _ in found] == [Verdict.WARN]


def test_gpu_without_a_near_adapter_fails(check):
    content = text("nvidia_topo", "two-gpus").replace(b"\tSYS\tPIX\t48", b"\tSYS\tNODE\t48")
    found = check("loc.topo.matrix", {"gpu001/nvidia_topo.txt": content})
    assert [(verdict, subject) for verdict, subject, _ in found] == [
        (Verdict.PASS, "node/gpu001/GPU0"),
        (Verdict.FAIL, "node/gpu001/GPU1"),
    ]


def test_unknown_numa_node_is_a_warning(check):
    lost = snapshot()
    lost["devices"][0]["numa_node"] = None
    assert [one[0] for one in check("loc.numa", {"gpu001/sysfs_rdma.txt": lost})] == [Verdict.WARN]


# --- subnet

ONE_MANAGER = text("saquery", "is-sm").replace(b"0x40C04A\n\n", b"0x40C048\n\n")
"""One port says that it runs a manager."""


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (text("sminfo", "master"), Verdict.PASS),
        (text("sminfo", "master").replace(b"1309", b"1303"), Verdict.FAIL),
        (text("sminfo", "master").replace(b"state 3", b"state 2"), Verdict.FAIL),
        (text("sminfo", "master").splitlines(keepends=True)[0], Verdict.UNKNOWN),
        (text("sminfo", "master").replace(b"1001,", b"2001,", 1), Verdict.FAIL),
        (b"sminfo: iberror: failed: query\n", Verdict.FAIL),
        (b"sminfo: iberror: failed: Failed to open '(null)' port '0'\n", Verdict.UNKNOWN),
    ],
)
def test_subnet_manager_must_be_one_and_alive(content, verdict, check):
    files = {"sminfo.txt": content, "saquery.is-sm.txt": ONE_MANAGER}
    assert [one[0] for one in check("ib.sm.master", files)] == [verdict]


def test_waiting_port_fails_and_a_dead_manager_is_its_cause(tmp_path):
    asked = {"ib.link.state", "ib.sm.master"}
    files = {
        "iblinkinfo.txt": text("iblinkinfo", "mixed"),
        "saquery.is-sm.txt": ONE_MANAGER,
        "sminfo.txt": text("sminfo", "master"),
    }
    found = [one for one in every(tmp_path, files, only=["ib.link.state"]) if one.check in asked]
    assert [(one.check, one.verdict, one.subject) for one in found] == [
        ("ib.link.state", Verdict.FAIL, "switch/su1-leaf2/6"),
        ("ib.sm.master", Verdict.PASS, "fabric"),
    ]
    files["sminfo.txt"] = files["sminfo.txt"].replace(b"1309", b"1303")
    found = [one for one in every(tmp_path, files, only=["ib.link.state"]) if one.check in asked]
    assert [(one.check, one.verdict) for one in found] == [
        ("ib.link.state", Verdict.BLOCKED),
        ("ib.sm.master", Verdict.FAIL),
    ]


@pytest.mark.parametrize(
    ("content", "verdicts"),
    [
        (text("ibqueryerrors", "clean"), [Verdict.PASS]),
        (text("ibqueryerrors", "errors"), [Verdict.WARN, Verdict.FAIL]),
        (text("ibqueryerrors", "simulated-errors"), [Verdict.FAIL]),
        (
            text("ibqueryerrors", "clean").replace(b"PortXmitWait", b"SymbolErrorCounter"),
            [Verdict.UNKNOWN],
        ),
        (text("ibqueryerrors", "clean")[:60], [Verdict.UNKNOWN]),
        (b"", [Verdict.UNKNOWN]),
    ],
)
def test_errors_of_the_fabric_need_a_run_to_its_end(content, verdicts, check):
    found = check("ib.counters.fabric", {"ibqueryerrors.txt": content})
    assert [one[0] for one in found] == verdicts


@pytest.mark.parametrize(
    ("declared", "verdict"),
    [("minhop", Verdict.PASS), ("ftree", Verdict.FAIL), (None, Verdict.UNKNOWN)],
)
def test_engine_that_fell_back_is_another_than_declared(declared, verdict, check):
    files = {
        "opensm_log.txt": text("opensm_log", "fallback"),
        "saquery.is-sm.txt": ONE_MANAGER,
        "sminfo.txt": text("sminfo", "master"),
    }
    found = check("ib.sm.routing", files, Expected(routing_engine=declared))
    assert [one[0] for one in found] == [verdict]


# --- hosts


@pytest.mark.parametrize(
    ("limit", "verdict", "words"),
    [
        (b"unlimited            unlimited  ", Verdict.PASS, "locked memory is unlimited"),
        (b"65536                unlimited  ", Verdict.FAIL, "the process may raise it"),
        (b"65536                65536      ", Verdict.FAIL, "has to give more"),
    ],
)
def test_limit_of_locked_memory_says_who_can_raise_it(limit, verdict, words, check):
    recorded = text("proc_limits", "shell")
    (line,) = [one for one in recorded.splitlines() if one.startswith(b"Max locked memory")]
    changed = recorded.replace(
        line, b"Max locked memory         " + limit + b"          bytes     "
    )
    ((got, subject, found),) = check(
        "host.limits.memlock", {"gpu001/proc_limits.slurmd.txt": changed}
    )
    assert (got, subject) == (verdict, "node/gpu001/limits/slurmd")
    assert words in found


LOW = "Max locked memory         {0:<20} {1:<20} bytes     \n"


def limits_of(*hosts: str, name: str, soft: str = "8388608", hard: str = "8388608"):
    return {f"{host}/proc_limits.{name}.txt": LOW.format(soft, hard).encode() for host in hosts}


def test_one_limit_at_many_processes_is_one_finding_with_a_hostlist(check):
    hosts = [f"gpu{number:03d}" for number in range(1, 5)]
    files = {**limits_of(*hosts, name="shell"), **limits_of(*hosts, name="slurmd")}
    end = "may be raised to 8388608 alone: whoever started the process has to give more"
    assert check("host.limits.memlock", files) == [
        (
            Verdict.FAIL,
            "limits/memlock",
            f"locked memory is 8388608 bytes for shell and slurmd on gpu[001-004] and {end}",
        )
    ]


def test_limits_of_unlike_cause_are_apart_and_a_lone_one_keeps_its_place(check):
    files = {
        **limits_of("gpu1", "gpu2", name="shell"),
        **limits_of("gpu2", name="slurmd"),
        **limits_of("gpu3", name="slurmd", soft="65536", hard="unlimited"),
        **limits_of("gpu3", name="shell", soft="unlimited", hard="unlimited"),
    }
    found = check("host.limits.memlock", files)
    assert [one[:2] for one in found] == [
        (Verdict.FAIL, "limits/memlock"),
        (Verdict.PASS, "node/gpu3/limits/shell"),
        (Verdict.FAIL, "node/gpu3/limits/slurmd"),
    ]
    assert "for shell on gpu[1-2]; slurmd on gpu2 and" in found[0][2]


def test_module_that_is_not_loaded_fails_unless_devices_are_there(check):
    files = {"gpu001/proc_modules.txt": text("proc_modules", "mlx5")}
    assert [one[0] for one in check("host.modules", files)] == [Verdict.PASS]
    files["gpu001/proc_modules.txt"] = files["gpu001/proc_modules.txt"].replace(b"mlx5_ib", b"x")
    assert [one[2] for one in check("host.modules", files)] == ["not loaded: mlx5_ib"]
    files["gpu001/sysfs_rdma.json"] = snapshot()
    assert [one[0] for one in check("host.modules", files)] == [Verdict.PASS]


# --- the fabric


def test_healthy_scan_passes_every_check_of_topology(tmp_path):
    scan = eight_rail().text()
    plan = tmp_path / "plan.txt"
    plan.write_bytes(scan)
    found = every(
        tmp_path / "texts",
        {"ibnetdiscover.txt": scan},
        intended=folders.read_intended(plan),
        only=["ib.topology", "ib.link.degraded", "ib.nodes.complete"],
    )
    assert {one.verdict for one in found} == {Verdict.PASS}
    assert len(found) == 11


def test_pulled_cable_is_one_fail_whatever_it_breaks(tmp_path):
    fabric = eight_rail()
    plan = tmp_path / "plan.txt"
    plan.write_bytes(fabric.text())
    fabric.pull(fabric.cables("su0-leaf1", "spine1")[0])
    found = every(
        tmp_path / "texts",
        {"ibnetdiscover.txt": fabric.text()},
        intended=folders.read_intended(plan),
        only=["ib.topology", "ib.link.degraded", "ib.nodes.complete"],
    )
    assert [one.check for one in found if one.verdict is Verdict.FAIL] == ["ib.topology.uniform"]
    assert {one.check: one.blocked_by for one in found if one.verdict is Verdict.BLOCKED} == {
        "ib.topology.intended": ("ib.topology.uniform",),
        "ib.topology.nonblocking": ("ib.topology.uniform",),
    }


def test_slow_cable_of_a_host_explains_the_rate_of_its_port(tmp_path):
    fabric = eight_rail()
    fabric.slow_down(Place("gpu0003 mlx5_1", 1), "2xNDR")
    found = every(
        tmp_path,
        {
            "ibnetdiscover.txt": fabric.text(),
            "gpu0003/ibstat.txt": HEALTHY_IBSTAT.replace(b"Rate: 400", b"Rate: 200"),
        },
        expected=Expected(port_gbit_per_s=400),
        only=["rdma.port.rate"],
    )
    assert [
        (one.check, one.verdict, one.subject)
        for one in found
        if one.verdict in {Verdict.FAIL, Verdict.BLOCKED}
    ] == [
        ("ib.link.degraded", Verdict.FAIL, "node/gpu0003/mlx5_1"),
        ("rdma.port.rate", Verdict.FAIL, "node/gpu0003/mlx5_0/1"),
        ("rdma.port.rate", Verdict.BLOCKED, "node/gpu0003/mlx5_1/1"),
    ]


def test_independent_difference_from_the_plan_is_no_second_cause_of_another(tmp_path):
    fabric = eight_rail()
    plan = tmp_path / "plan.txt"
    plan.write_bytes(fabric.text())
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0003 mlx5_5", 1))
    fabric.swap(Place("gpu0001 mlx5_0", 1), Place("gpu0002 mlx5_0", 1))
    found = every(
        tmp_path / "texts",
        {"ibnetdiscover.txt": fabric.text()},
        intended=folders.read_intended(plan),
        only=["ib.topology.intended"],
    )
    assert [(one.check, one.subject) for one in found if one.verdict is Verdict.FAIL] == [
        ("ib.topology.intended", "node/gpu0001/mlx5_0"),
        ("ib.topology.rails", "node/gpu0003/mlx5_2"),
    ]


def test_declared_oversubscription_is_allowed(check):
    fabric = eight_rail()
    for unit in range(2):
        for rail in range(8):
            for spine in range(4):
                fabric.pull(fabric.cables(f"su{unit}-leaf{rail}", f"spine{spine}")[0])
    files = {"ibnetdiscover.txt": fabric.text()}
    assert check("ib.topology.nonblocking", files) == [
        (
            Verdict.FAIL,
            "fabric",
            "all 16 switches of level 1 from su0-leaf0, su0-leaf1 on have 3200 Gb/s down and"
            " 1600 up: 2.00 to 1, 1 declared",
        )
    ]
    found = check("ib.topology.nonblocking", files, Expected(oversubscription=2))
    assert [one[0] for one in found] == [Verdict.PASS]


def test_aggregation_nodes_are_counted_where_declared(check):
    files = {"ibnetdiscover.txt": eight_rail().text()}
    assert [one[0] for one in check("sharp.an.count", files)] == [Verdict.SKIP]
    found = check("sharp.an.count", files, Expected(sharp=True))
    assert found == [(Verdict.FAIL, "fabric", "0 aggregation nodes, 20 switches")]


# --- RoCE and SR-IOV


def test_mtu_below_the_declared_fails_on_ethernet_and_warns_on_infiniband(check):
    found = check("rdma.mtu.active", roce_files())
    assert [one[0] for one in found] == [Verdict.FAIL]
    files = roce_files()
    files["gpu001/ibv_devinfo.txt"] = files["gpu001/ibv_devinfo.txt"].replace(
        b"Ethernet", b"InfiniBand"
    )
    assert [one[0] for one in check("rdma.mtu.active", files)] == [Verdict.WARN]


def test_small_device_mtu_is_one_red_line(tmp_path):
    devices = json.loads(text("ip_link", "igb"))
    for one in devices:
        one["mtu"] = 1500
    small = text("ibv_devinfo", "soft-roce").replace(
        b"active_mtu:\t\t4096 (5)", b"active_mtu:\t\t1024 (3)"
    )
    files = {
        "n1/ibv_devinfo.txt": small,
        "n1/ip_link.json": devices,
        "n1/rdma_link.json": text("rdma_link", "soft-roce"),
        "n1/ibstat.txt": text("ibstat", "soft-roce"),
    }
    found = every(tmp_path, files, only=["rdma.mtu", "roce.mtu"])
    red = [(one.check, one.subject) for one in found if one.verdict is Verdict.FAIL]
    assert red == [("roce.mtu.path", "node/n1/rxe0/1")]


@pytest.mark.parametrize(("there", "verdict"), [(2, Verdict.PASS), (0, Verdict.FAIL)])
def test_functions_are_counted_on_the_host_too(there, verdict, check):
    functions = ["0000:9c:00.1", "0000:9c:00.2"]
    listed = [{"vfID": at, "pciAddress": one} for at, one in enumerate(functions)]
    wanted = {"pciAddress": "0000:9c:00.0", "numVfs": 2}
    state = {
        "kind": "SriovNetworkNodeState",
        "metadata": {"name": "gpu001"},
        "spec": {"interfaces": [wanted]},
        "status": {
            "syncStatus": "Succeeded",
            "interfaces": [{**wanted, "totalvfs": 8, "Vfs": listed}],
        },
    }
    card = {"address": "0000:9c:00.0", "total_vfs": 8, "vfs": functions[:there]}
    files = {"sriov_state.json": state, "gpu001/sysfs_rdma.json": {"cards": [card]}}
    assert check("sriov.vf.count", files) == [
        (
            verdict,
            "node/gpu001/0000:9c:00.0",
            f"2 asked for, 2 there, 2 listed, {there} on the host",
        )
    ]


def roce_files():
    return {
        "gpu001/ibv_devinfo.txt": text("ibv_devinfo", "roce"),
        "gpu001/ibstat.txt": HEALTHY_IBSTAT,
    }


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (b"", b"", Verdict.PASS),
        (b"::ffff:10.0.0.1, RoCE v2", b"::ffff:10.0.0.1, RoCE v1", Verdict.FAIL),
        (b"::ffff:10.0.0.1, RoCE v2", b"fe80::1, RoCE v2", Verdict.FAIL),
        (b"Ethernet", b"InfiniBand", Verdict.SKIP),
    ],
)
def test_gid_must_be_one_that_is_routed(old, new, verdict, check):
    files = roce_files()
    if old:
        content = files["gpu001/ibv_devinfo.txt"].replace(old, new)
        files["gpu001/ibv_devinfo.txt"] = content
    assert [one[0] for one in check("roce.gid.v2", files)] == [verdict]


@pytest.mark.parametrize(("mtu", "verdict"), [(9000, Verdict.PASS), (1500, Verdict.FAIL)])
def test_device_mtu_must_hold_the_rdma_mtu_and_headers(mtu, verdict, check):
    link = [{"ifname": "mlx5_0", "port": 1, "state": "ACTIVE", "netdev": "ens1np0"}]
    device = [{"ifname": "ens1np0", "mtu": mtu, "operstate": "UP", "link_type": "ether"}]
    files = {"gpu001/rdma_link.json": link, "gpu001/ip_link.json": device}
    assert check("roce.mtu.path", files) == [
        (verdict, "node/gpu001/mlx5_0/1", f"ens1np0 has MTU {mtu} bytes, 4154 are needed")
    ]


def test_one_address_at_two_pods_fails(check):
    status = text("network_status", "two-networks")
    found = check(
        "roce.ip.unique",
        {"gpu001/network_status.a.json": status, "gpu002/network_status.b.json": status},
    )
    assert found == [(Verdict.FAIL, "network", "10.20.0.7 is at a and b")]


def test_node_states_are_judged_function_by_function(tmp_path):
    found = every(
        tmp_path,
        {"sriov_state.json": text("sriov_state", "list")},
        only=["sriov.vf", "sriov.state"],
    )
    by_state = {"sriov.state.sync", "sriov.vf.count", "sriov.vf.mtu", "sriov.vf.total"}
    got = {(one.check, one.subject): one.verdict for one in found if one.check in by_state}
    card = "node/gpu001/0000:9c:00.0"
    assert got == {
        ("sriov.state.sync", "node/gpu001"): Verdict.PASS,
        ("sriov.state.sync", "node/gpu002"): Verdict.FAIL,
        ("sriov.vf.count", card): Verdict.PASS,
        ("sriov.vf.count", "node/gpu002"): Verdict.SKIP,
        ("sriov.vf.mtu", card): Verdict.FAIL,
        ("sriov.vf.mtu", "node/gpu002"): Verdict.SKIP,
        ("sriov.vf.total", card): Verdict.PASS,
        ("sriov.vf.total", "node/gpu002"): Verdict.SKIP,
    }


@pytest.mark.parametrize(
    ("declared", "verdict"),
    [("exclusive", Verdict.PASS), ("shared", Verdict.FAIL), (None, Verdict.UNKNOWN)],
)
def test_namespace_mode_is_compared_with_the_declared_one(declared, verdict, check):
    files = {"gpu001/rdma_system.json": text("rdma_system", "exclusive")}
    found = check("rdma.netns", files, Expected(rdma_netns=declared))
    assert [one[0] for one in found] == [verdict]


# --- measurements and NCCL


@pytest.mark.parametrize(
    ("average", "verdict"),
    [
        (b"393.48", Verdict.PASS),
        (b"375.00", Verdict.WARN),
        (b"228.00", Verdict.FAIL),
        (b"399.99", Verdict.UNKNOWN),
    ],
)
def test_bandwidth_is_judged_by_rate_mtu_and_headers(average, verdict, check):
    content = text("perftest", "write-bw").replace(b"393.48", average)
    ((got, subject, found),) = check(
        "rdma.pair.bandwidth",
        {"gpu001/perftest.a-to-b.txt": content},
        Expected(port_gbit_per_s=400),
    )
    assert (got, subject) == (verdict, "run/a-to-b")
    assert found.endswith("of 400 Gb/s x 4096/4122 = 397.5 Gb/s")


def test_bandwidth_of_an_unnamed_device_is_unknown(check):
    content = text("perftest", "write-bw").replace(b"Device         : mlx5_0", b"")
    files = {"gpu001/perftest.txt": content}
    found = check("rdma.pair.bandwidth", files, Expected(port_gbit_per_s=400))
    assert [one[0] for one in found] == [Verdict.UNKNOWN]


def test_small_messages_do_not_judge_the_line(check):
    found = check(
        "rdma.pair.bandwidth",
        {"gpu001/perftest.txt": text("perftest", "write-bw-mib")},
        Expected(port_gbit_per_s=100),
    )
    assert [one[0] for one in found] == [Verdict.UNKNOWN]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("nccl.path.network", Verdict.PASS, Verdict.FAIL),
        ("nccl.path.gdr", Verdict.PASS, Verdict.BLOCKED),
        ("nccl.path.hcas", Verdict.PASS, Verdict.BLOCKED),
        ("nccl.path.algorithm", Verdict.PASS, Verdict.BLOCKED),
        ("nccl.errors", Verdict.PASS, Verdict.FAIL),
        ("nccl.env.clean", Verdict.PASS, Verdict.UNKNOWN),
        ("sharp.nccl.used", Verdict.SKIP, Verdict.SKIP),
    ],
)
def test_log_over_rdma_is_good_and_log_over_sockets_is_not(name, good, bad, check):
    found = check(
        name,
        {
            "a/nccl_log.good.txt": text("nccl_log", "ib-gdr"),
            "a/nccl_log.bad.txt": text("nccl_log", "socket-and-fault"),
        },
    )
    assert [(one, subject) for one, subject, _ in found] == [(bad, "run/bad"), (good, "run/good")]


def test_one_channel_over_host_memory_fails(check):
    content = text("nccl_log", "ib-gdr").replace(b"NET/IB/0/GDRDMA", b"NET/IB/0")
    ((verdict, _, found),) = check("nccl.path.gdr", {"a/nccl_log.txt": content})
    assert (verdict, found) == (
        Verdict.FAIL,
        "1 of 3 channels without it, at gpu001:4021",
    )


def test_bandwidth_without_a_word_about_the_network_is_unknown(check):
    content = b"gpu001:1:1 [0] NCCL INFO Bootstrap: Using eth0:10.0.0.1<0>\n"
    found = check("nccl.path.network", {"a/nccl_log.txt": content})
    assert [one[0] for one in found] == [Verdict.UNKNOWN]


def test_declared_reduction_in_the_network_must_be_used(check):
    good = {"a/nccl_log.txt": text("nccl_log", "ib-gdr")}
    found = check("sharp.nccl.used", good, Expected(sharp=True))
    assert [one[0] for one in found] == [Verdict.PASS]
    bad = {"a/nccl_log.txt": text("nccl_log", "socket-and-fault")}
    ((verdict, _, words),) = check("sharp.nccl.used", bad, Expected(sharp=True))
    assert (verdict, words.endswith("disabling CollNet")) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [("P2P_DISABLE", "1", Verdict.FAIL), ("IB_GID_INDEX", "3", Verdict.WARN)],
)
def test_stray_settings_are_named(name, value, verdict, check):
    setting = f"gpu001:4021:4050 [0] NCCL INFO NCCL_{name} set by environment to {value}.\n"
    content = text("nccl_log", "ib-gdr") + setting.encode()
    ((got, _, found),) = check("nccl.env.clean", {"a/nccl_log.txt": content})
    assert (got, found) == (verdict, f"NCCL_{name}={value}")


@pytest.mark.parametrize(
    ("name", "verdict"), [("all-reduce", Verdict.UNKNOWN), ("old-header", Verdict.FAIL)]
)
def test_wrong_values_outrank_all_else(name, verdict, check):
    found = check("nccl.values", {"a/nccl_tests.txt": text("nccl_tests", name)})
    assert [one[0] for one in found] == [verdict]


def test_hostile_text_in_a_log_reaches_no_terminal(check):
    hostile = b"gpu001:1:1 [0] NCCL WARN \x1b]0;title\x07<script>\n"
    ((verdict, _, found),) = check("nccl.errors", {"a/nccl_log.txt": hostile})
    assert verdict is Verdict.FAIL
    assert found.isprintable()
