"""Asking many hosts: what comes of each, and what is in the folder then."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from functools import partial

import pytest

from sunk.assess.bundle import JOURNAL, MANIFEST, unpack
from sunk.assess.verdict import Verdict, exit_code
from sunk.clients import evidence_files
from sunk.errors import InputError
from sunk.model.reach import Reason
from sunk.progress import Silent
from sunk_fabric import folder as folders
from sunk_fabric import service as fabric
from sunk_fabric.collect import gather, questions, service
from sunk_fabric.collect import plan as planning
from sunk_fabric.collect.brought import Brought
from sunk_fabric.collect.conversation import Limits
from sunk_fabric.collect.gather import Manner
from sunk_fabric.collect.service import Request
from sunk_fabric.collection import Outcome
from sunk_fabric.parse import sysfs_rdma
from sunk_jobs.sysfs_rdma import RdmaDevice, RdmaPort, Snapshot, as_json
from tests.support.fabric_texts import FOLDER
from tests.support.memory_shells import MemoryHost, MemoryTransport, Said

SYSFS = "python3 - --root /sys"
ACTIVE = RdmaPort(number=1, values={"link_layer": "InfiniBand", "state": "4: ACTIVE"})
WITH_FABRIC = as_json(Snapshot(has_rdma=True, devices=[RdmaDevice("mlx5_0", ports=[ACTIVE])]))
WITHOUT = as_json(Snapshot())


def healthy(sysfs: str = WITHOUT, **said: Said) -> MemoryHost:
    answers = {SYSFS: Said(out=sysfs.encode() + b"\n"), "uname -a": Said(out=b"Linux\n")}
    return MemoryHost(answers={**answers, **said})


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """A subnet manager in memory needs no time between two answers."""
    monkeypatch.setattr(questions, "_SM_GAP_SECONDS", 0.0)


@pytest.fixture
def run(tmp_path):
    """Collect from hosts in memory; return what came of it."""

    def collected(
        hosts, *names, resume=False, seconds=1.0, limit=1 << 20, pods=frozenset(), **manner
    ):
        transport = MemoryTransport(hosts, time.time, pods=pods)
        request = Request(
            folder=tmp_path / "out",
            hosts=names or (() if resume else tuple(hosts)),
            resume=resume,
            command_seconds=seconds,
        )
        asked = Manner(limits=Limits(start_seconds=1, output_bytes=limit), **manner)
        return service.collect(request, transport, asked, Silent())

    return collected


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def texts(folder):
    """Return (host, name) -> evidence and output of a whole folder."""
    opened = unpack(evidence_files.read(folder))
    assert opened.faults == ()
    return {(one.evidence.host, one.evidence.name): one for one in opened.kept}


def outcomes(made):
    return {one.host: (one.outcome, one.reason) for one in made.record.hosts}


def test_every_text_is_kept_with_command_host_times_code_and_way(run, folder):
    made = run({"a": healthy()})
    kept = texts(folder)["a", "uname"]
    evidence = kept.evidence
    assert (evidence.command, evidence.exit_code, evidence.over) == (("uname", "-a"), 0, "memory")
    assert (kept.output, evidence.incomplete, evidence.redactions) == (b"Linux\n", "", 0)
    assert evidence.at <= evidence.until <= made.record.ended
    assert made.record.collector.startswith("sunk ")


def test_a_tool_that_is_not_there_is_evidence_and_the_host_is_collected(run, folder):
    made = run({"a": healthy()})
    kept = texts(folder)["a", "ibstat"]
    assert (kept.evidence.exit_code, kept.output) == (127, b"")
    assert outcomes(made) == {"a": (Outcome.COLLECTED, "")}


@pytest.mark.parametrize("reason", Reason)
def test_an_unreachable_host_is_named_with_the_step_and_others_are_collected(run, reason):
    made = run({"a": healthy(), "b": MemoryHost(refuses=reason), "c": healthy()})
    assert outcomes(made) == {
        "a": (Outcome.COLLECTED, ""),
        "b": (Outcome.UNREACHABLE, reason),
        "c": (Outcome.COLLECTED, ""),
    }
    (bad,) = (one for one in made.record.hosts if one.host == "b")
    assert "\x1b" not in bad.words
    assert bad.words.endswith("; mend it")


def test_a_host_that_calls_itself_otherwise_is_named_and_not_asked(run, folder):
    other = healthy()
    other.called = "z"
    made = run({"a": other})
    assert outcomes(made) == {"a": (Outcome.UNREACHABLE, Reason.OTHER_HOST)}
    assert other.asked == []
    assert {host for host, _ in texts(folder)} == {""}
    assert made.record.hosts[0].called == "z"


def test_a_host_may_call_itself_anything_where_that_is_wanted(run):
    other = healthy()
    other.called = "z"
    made = run({"a": other}, any_name=True)
    assert [(one.outcome, one.called) for one in made.record.hosts] == [("collected", "z")]


def test_a_command_that_kills_the_connection_costs_itself_alone(run, folder):
    host = healthy(ibstat=Said(out=b"CA 'mlx", dies=True))
    made = run({"a": host})
    (record,) = made.record.hosts
    assert (record.outcome, record.missing) == (Outcome.PARTLY, ("ibstat",))
    kept = texts(folder)["a", "ibstat"]
    assert (kept.output, kept.evidence.exit_code) == (b"CA 'mlx", None)
    assert kept.evidence.incomplete.startswith("the shell ended")
    assert host.opened == 3  # once more after it died, and once for Slurm


def test_what_is_cut_is_kept_as_cut(run, folder):
    made = run({"a": healthy(ibstat=Said(out=b"x" * 11))}, limit=10)
    kept = texts(folder)["a", "ibstat"]
    assert (kept.output, kept.evidence.incomplete) == (b"x" * 10, "cut at 10 bytes")
    assert made.record.hosts[0].outcome is Outcome.PARTLY


def test_secrets_never_reach_the_disk_and_are_counted(run, folder):
    said = Said(out=b"nfs password=hunter2\n", err=b"token: abc\n")
    made = run({"a": healthy(**{"uname -a": said})})
    kept = texts(folder)["a", "uname"]
    assert (kept.output, kept.errors) == (b"nfs password=[redacted]\n", b"token: [redacted]\n")
    assert (kept.evidence.redactions, made.redactions) == (2, 2)
    assert all(b"hunter2" not in one.read_bytes() for one in folder.rglob("*") if one.is_file())


def test_hostile_bytes_are_kept_as_they_are(run, folder):
    hostile = b"\x1b]0;owned\x07<script>\xff\xfe\x00" + b"A" * 65536 + b"\r\n"
    run({"a": healthy(ibstat=Said(out=hostile))})
    assert texts(folder)["a", "ibstat"].output == hostile


def test_the_first_host_with_an_active_port_is_asked_about_the_fabric(run, folder):
    hosts = {"a": healthy(), "b": healthy(WITH_FABRIC), "c": healthy(WITH_FABRIC)}
    made = run(hosts)
    assert made.record.fabric_from == "b"
    assert {host for host, name in texts(folder) if name == "ibnetdiscover"} == {"b"}
    assert hosts["b"].asked.count("sminfo") == 2


def with_port(**values: str) -> str:
    port = RdmaPort(number=1, values={**ACTIVE.values, **values})
    return as_json(Snapshot(has_rdma=True, devices=[RdmaDevice("mlx5_0", ports=[port])]))


def test_every_port_that_says_it_runs_a_manager_is_asked_for_it_there(run, folder):
    hosts = {
        "a": healthy(with_port(lid="0x1", cap_mask="0x0040c04a")),
        "b": healthy(with_port(lid="0x48", cap_mask="0x0040c04a")),
        "c": healthy(with_port(lid="0x9", cap_mask="0x0040c048")),
        "d": healthy(with_port(lid="0x8", cap_mask="0x0040c04a", state="1: DOWN")),
        "e": healthy(with_port(lid="0x0", cap_mask="0x0040c04a")),
        "f": healthy(with_port(lid="\x1b[31m", cap_mask="all")),
    }
    run(hosts)
    there = [
        (host, *one.evidence.command)
        for (host, name), one in texts(folder).items()
        if name.startswith(questions.AT_LID)
    ]
    assert sorted(there) == [("a", "sminfo", "1"), ("a", "sminfo", "72")]


def test_port_of_a_host_that_nobody_logs_into_is_asked_for_its_manager_too(run, folder):
    listed = (FOLDER / "saquery" / "is-sm.txt").read_text()
    host = partial(healthy, with_port(lid="0x1", cap_mask="0x0040c048"))
    run({"a": host(**{"saquery -s": Said(out=listed.encode())})})
    there = [
        one.evidence.command
        for (_, name), one in sorted(texts(folder).items())
        if name.startswith(questions.AT_LID)
    ]
    assert there == [("sminfo", "1"), ("sminfo", "9")]


def test_list_that_lies_about_managers_costs_a_bounded_time(run, folder):
    record = "PortInfoRecord dump:\n\t\tEndPortLid......{}\n\t\tcapability_mask......0x2\n"
    lies = "".join(record.format(lid) for lid in (0, 60000, *range(1, 5000)))
    host = partial(healthy, with_port(lid="0x1", cap_mask="0x0040c048"))
    run({"a": host(**{"saquery -s": Said(out=lies.encode())})})
    asked = [name for _, name in texts(folder) if name.startswith(questions.AT_LID)]
    assert len(asked) == gather.MOST_MANAGERS


def test_where_no_host_has_a_fabric_that_is_said(run):
    made = run({"a": healthy()})
    assert made.record.notes == ("fabric: no host to ask, one with an active InfiniBand port",)


def test_never_more_hosts_at_once_than_allowed(run):
    lock, now, most = threading.Lock(), set(), []

    def act(host):
        def begin():
            with lock:
                now.add(host)
                most.append(len(now))
            time.sleep(0.002)

        return begin

    def end(host):
        return lambda: now.discard(host)

    hosts = {}
    for number in range(40):
        name = f"n{number}"
        first = Said(out=WITHOUT.encode(), acts=act(name))
        last = Said(acts=end(name), exit_code=127)
        hosts[name] = MemoryHost({SYSFS: first, "nvidia-smi -q -x": last})
    made = run(hosts, at_once=3)
    assert made.record.whole
    assert 1 < max(most) <= 3


def test_an_interrupt_keeps_what_is_there_and_says_what_is_missing(run, folder, monkeypatch):
    hosts = {name: healthy() for name in "abcdef"}

    def interrupted(*_words):
        raise KeyboardInterrupt

    wait = gather.wait
    monkeypatch.setattr(
        gather,
        "wait",
        lambda waiting, *words: wait(waiting) if not words else interrupted(),
    )
    made = run(hosts, at_once=1)
    assert made.record.interrupted
    assert {one.outcome for one in made.record.hosts} >= {Outcome.NOT_ASKED}
    assert not (folder / JOURNAL).exists()
    kept = {host for host, _ in texts(folder) if host}
    monkeypatch.undo()
    for host in hosts.values():
        host.asked.clear()
    again = run(hosts, resume=True)
    assert again.record.whole
    assert {name for name, host in hosts.items() if SYSFS not in host.asked} <= kept


def test_going_on_asks_for_what_is_missing_and_nothing_else(run, folder):
    hosts = {
        "a": healthy(),
        "b": MemoryHost(refuses=Reason.REFUSED),
        "c": healthy(ibstat=Said(hangs=True)),
    }
    hosts["c"].answers = {**hosts["c"].answers, "ibstat": Said(out=b"x", dies=True)}
    first = run(hosts)
    assert not first.record.whole
    before = texts(folder)
    for one in hosts.values():
        one.asked.clear()
    hosts["b"].refuses = None
    hosts["c"].answers = {**hosts["c"].answers, "ibstat": Said(out=b"whole\n")}
    second = run(hosts, resume=True)
    assert outcomes(second) == dict.fromkeys("abc", (Outcome.COLLECTED, ""))
    assert (hosts["a"].asked, hosts["c"].asked) == ([], ["ibstat"])
    after = texts(folder)
    assert after["c", "ibstat"].output == b"whole\n"
    assert after["a", "uname"] == before["a", "uname"]
    assert sum(name == "collection" for _, name in after) == 1


def test_after_a_kill_the_journal_says_what_is_there_and_who_was_meant(run, folder):
    hosts = {"a": healthy(), "b": healthy()}

    def die():
        raise MemoryError

    hosts["b"].answers = {"uname -a": Said(acts=die)}
    with pytest.raises(MemoryError):
        run(hosts, at_once=1)
    assert (folder / JOURNAL).exists()
    assert not (folder / MANIFEST).exists()
    with pytest.raises(InputError, match="did not get to its end") as caught:
        fabric.check(folder, None, None)
    assert caught.value.hint == f"sunk fabric collect {folder} --resume"
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(b'{"torn')
    (folder / "raw" / "0123456789ab.out").write_bytes(b"no line names it")
    hosts["a"].asked.clear()
    hosts["b"].answers = healthy().answers
    again = run(hosts, resume=True)
    assert outcomes(again) == dict.fromkeys("ab", (Outcome.COLLECTED, ""))
    assert "uname -a" not in hosts["a"].asked
    texts(folder)


def test_a_folder_that_is_there_is_left_alone(run, folder):
    folder.mkdir()
    with pytest.raises(InputError, match="it exists"):
        run({"a": healthy()})
    assert list(folder.iterdir()) == []


def test_a_changed_folder_is_not_gone_on_with(run, folder):
    run({"a": healthy()})
    kept = texts(folder)["a", "uname"]
    (folder / "raw" / f"{kept.evidence.id}.out").write_bytes(b"changed\n")
    with pytest.raises(InputError, match="not those of the digest"):
        run({"a": healthy()}, resume=True)


def test_what_could_not_be_undone_is_said(tmp_path):
    transport = MemoryTransport({"a": healthy()}, time.time, close_fails=True)
    request = Request(folder=tmp_path / "out", hosts=("a",))
    manner = Manner(limits=Limits(start_seconds=1, output_bytes=1 << 20))
    made = service.collect(request, transport, manner, Silent())
    assert "left behind: delete DaemonSet: no answer" in made.record.notes
    assert transport.closed


# --- what a check makes of it


def findings(folder, only=()):
    return fabric.check(folder, None, None, only)


def test_hosts_that_were_not_collected_are_unknown_and_named_whatever_is_asked(run, folder):
    run({"a": healthy(), "b": MemoryHost(refuses=Reason.TIMED_OUT)})
    for only in ((), ("host.modules",), ("evidence.known",)):
        said = {
            one.subject: (one.verdict, one.found)
            for one in findings(folder, only)
            if one.check == "evidence.hosts"
        }
        assert said["node/a"] == (Verdict.PASS, "collected over memory")
        verdict, words = said["node/b"]
        assert verdict is Verdict.UNKNOWN
        assert words.startswith("unreachable, timed out: ")
        assert exit_code(one.verdict for one in findings(folder, only)) in {1, 5}


def test_a_host_that_answered_in_part_is_unknown_with_what_is_missing(run, folder):
    run({"a": healthy(ibstat=Said(dies=True))})
    (one,) = (each for each in findings(folder, ["evidence.hosts"]) if each.subject == "node/a")
    assert one.verdict is Verdict.UNKNOWN
    assert one.found == "answered in part; not there: ibstat"


def test_a_clock_that_is_off_is_a_warning(run, folder):
    host = healthy()
    host.clock = int(time.time()) - 400
    run({"a": host})
    (one,) = (each for each in findings(folder, ["evidence.hosts"]) if each.subject == "node/a")
    assert one.verdict is Verdict.WARN
    assert one.found.endswith(" s behind")


def test_a_cut_text_is_never_good_even_where_it_reads_well(run, folder):
    modules = b"".join(
        f"{name} 1 0 - Live 0x0\n".encode()
        for name in ("ib_uverbs", "mlx5_core", "mlx5_ib", "rdma_cm")
    )
    run({"a": healthy(**{"cat /proc/modules": Said(out=modules)})})
    assert verdict_of(folder, "host.modules") is Verdict.PASS
    files = evidence_files.read(folder)
    assert files
    run_again = {"a": healthy(**{"cat /proc/modules": Said(out=modules, dies=True)})}
    other = folder.with_name("other")
    manner = Manner(limits=Limits(start_seconds=1, output_bytes=1 << 20))
    request = Request(folder=other, hosts=("a",), command_seconds=1)
    service.collect(request, MemoryTransport(run_again, time.time), manner, Silent())
    assert verdict_of(other, "host.modules") is Verdict.UNKNOWN


def verdict_of(folder, check):
    (one,) = (each for each in findings(folder, [check]) if each.check == check)
    return one.verdict


def test_an_absent_tool_is_told_as_such(run, folder):
    run({"a": healthy()})
    (one,) = (each for each in findings(folder, ["host.modules"]) if each.check == "host.modules")
    assert one.found == "a/proc_modules: there is no such command: cat /proc/modules"


def test_texts_for_people_are_no_strangers(run, folder):
    run({"a": healthy(WITH_FABRIC)})
    known = [one for one in findings(folder, ["evidence.known"]) if one.check == "evidence.known"]
    assert [one.verdict for one in known] == [Verdict.PASS]


def test_an_archive_says_what_the_folder_says(run, folder, tmp_path):
    run({"a": healthy(), "b": MemoryHost(refuses=Reason.REFUSED)})
    service.pack(folder, tmp_path / "one.tar.gz")
    service.pack(folder, tmp_path / "two.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    assert findings(tmp_path / "one.tar.gz") == findings(folder)


def test_a_changed_archive_is_refused(run, folder, tmp_path):
    run({"a": healthy()})
    kept = texts(folder)["a", "uname"]
    (folder / "raw" / f"{kept.evidence.id}.out").write_bytes(b"changed\n")
    service.pack(folder, tmp_path / "one.tar.gz")
    with pytest.raises(InputError, match="not those of the digest"):
        findings(tmp_path / "one.tar.gz")


def test_record_is_readable_json(run, folder):
    made = run({"a": healthy()})
    document = json.loads(texts(folder)["", "collection"].output)
    assert document["hosts"][0]["outcome"] == "collected"
    assert replace(made.record, hosts=()).collector == document["collector"]
    assert planning.hosts_of(["n[1-3]", "n2"]) == ("n1", "n2", "n3")


def test_a_pod_is_asked_for_what_it_was_given_alone_and_is_no_further_host_to_judge(run, tmp_path):
    virtual = RdmaDevice("mlx5_1", is_vf=True, ports=[ACTIVE])
    inside = as_json(Snapshot(has_rdma=True, devices=[virtual]))
    hosts = {"n1": healthy(WITH_FABRIC), "w-0.slurm": healthy(inside)}
    made = run(hosts, pods=frozenset({"w-0.slurm"}))
    assert {one.host: one.pod for one in made.record.hosts} == {"n1": False, "w-0.slurm": True}
    names = {
        host: {one.evidence.name for one in opened(tmp_path).kept if one.evidence.host == host}
        for host in hosts
    }
    assert names["w-0.slurm"] <= questions.POD_TEXTS < names["n1"] | {"sysfs_rdma.later"}
    facts, _ = folders.read(tmp_path / "out")
    assert {one.host for one in facts.of(sysfs_rdma.parse)} == {"n1"}
    assert {one.host for one in facts.of(sysfs_rdma.parse, pods=True)} == {"n1", "w-0.slurm"}


def test_a_text_that_was_brought_is_kept_with_the_others(run, tmp_path):
    log = tmp_path / "job.log"
    log.write_text("NCCL INFO password=hunter2\n")
    run({"n1": healthy()}, brought=(Brought(format="nccl_log", host="", path=log),))
    (kept,) = [one for one in opened(tmp_path).kept if one.evidence.name == "nccl_log.job"]
    assert (kept.evidence.over, kept.evidence.redactions) == ("file", 1)
    assert b"hunter2" not in kept.output


def opened(tmp_path):
    return unpack(evidence_files.read(tmp_path / "out"))
