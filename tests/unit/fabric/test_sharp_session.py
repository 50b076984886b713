"""A comparison with SHARP and without: what is planned, run and kept, on a cluster in memory."""

from __future__ import annotations

import json

import pytest

from sunk.assess.bundle import pack
from sunk.clients import evidence_files
from sunk.errors import EnvironmentFault, InputError
from sunk_fabric import service
from sunk_fabric.active.runner import Runner
from sunk_fabric.active.sharp import SharpRequest, lines, plan
from sunk_fabric.active.sharp_session import compare
from sunk_fabric.active.sharp_sides import Program
from sunk_fabric.active.tools import TOOLS, Settings, ToolName
from tests.support.golden import check_golden
from tests.support.sharp_runs import table, with_sharp, without_sharp

HOSTS = ("a", "b")


class EndedProgram:
    """One that has ended, or that never does."""

    def __init__(self, output=b"", errors=b"", status=0):
        self.output, self.errors, self.status = output, errors, status

    def end(self, grace_seconds=2.0):
        self.status = -15 if self.status is None else self.status


class Cluster:
    """Slurm that starts at once; its network reduces.

    Attributes:
        started: words of each program.
        held: hosts that are reserved now.
    """

    setup_seconds = 0.0

    def __init__(self, *, hangs="", missing=False):
        self.started, self.held = [], ()
        self.hangs, self.missing = hangs, missing

    def reserve(self, hosts, minutes):
        self.held = hosts

    def words(self, host, command):
        return ("on", host, *command)

    def together(self, hosts, command, mpi):
        assert hosts == self.held
        return ("all", f"--mpi={mpi}", *command)

    def release(self):
        self.held = ()
        return ""

    def launch(self, argv, *, output, errors):
        self.started.append(tuple(argv))
        if "sunk_jobs.leftovers" in argv:
            return EndedProgram(json.dumps({"ended": [], "remaining": []}).encode())
        if self.missing:
            raise EnvironmentFault("start srun: it is not installed")
        on = "NCCL_COLLNET_ENABLE=1" in argv
        if self.hangs and f"NCCL_COLLNET_ENABLE={self.hangs}" in argv:
            return EndedProgram(b"# nccl-tests\n", b"", None)
        text, log = (table(200.0), with_sharp()) if on else (table(100.0), without_sharp())
        return EndedProgram(text.encode(), log.encode())


def run(tmp_path, cluster, minutes=0.1):
    made = plan(SharpRequest(program=Program.ALL_REDUCE_PERF, hosts=HOSTS, minutes=minutes))
    settings = Settings()
    runner = Runner(cluster, TOOLS[ToolName.PAIR], settings, {}, "mark", tmp_path, cluster.launch)
    said = []
    done = compare(made, cluster, runner, python="python3", say=said.append, quiet=lambda: None)
    folder = tmp_path / "found"
    evidence_files.write(folder, pack(done.kept))
    (one,) = service.check(folder, None, None, ("sharp.nccl.gain",))
    return done, one, said


def test_pair_of_runs_is_judged_by_what_they_left(tmp_path):
    cluster = Cluster()
    done, one, said = run(tmp_path, cluster)
    words = (
        "2.00 times the algorithm bandwidth without, median of 3 sizes, 2 runs with and 2 without"
    )
    assert (one.verdict, one.found) == ("PASS", words)
    assert said[:4] == [
        f"run {number} of 4, {name}"
        for number, name in enumerate(("sharp-on", "sharp-off", "sharp-off-2", "sharp-on-2"), 1)
    ]
    assert [each.evidence.name for each in done.kept[:2]] == [
        "nccl_tests.sharp-on",
        "nccl_log.sharp-on",
    ]
    assert cluster.held == ()
    assert [each.state for each in done.cleanup] == ["clean", "clean"]


def test_program_that_does_not_end_is_ended_and_its_run_unknown(tmp_path):
    done, one, _ = run(tmp_path, Cluster(hangs="0"), minutes=0.002)
    assert one.verdict == "UNKNOWN"
    late = {each.evidence.name for each in done.kept if each.evidence.incomplete}
    assert {"nccl_tests.sharp-off", "nccl_tests.sharp-off-2"} <= late


def test_starter_that_is_not_there_is_unknown_and_hosts_are_given_back(tmp_path):
    cluster = Cluster(missing=True)
    done, one, _ = run(tmp_path, cluster)
    assert (one.verdict, cluster.held) == ("UNKNOWN", ())
    assert one.found.endswith("there is no such command: all_reduce_perf")
    assert {each.evidence.exit_code for each in done.kept} == {127}


@pytest.mark.parametrize("program", list(Program))
def test_what_is_run_is_stated(program):
    made = plan(
        SharpRequest(
            program=program,
            hosts=("gpu1", "gpu2"),
            gpus_per_host=4,
            total_bytes=10**9,
            price_per_node_hour=30.0,
            currency="EUR",
        )
    )
    check_golden(f"fabric/active/sharp-{program}.txt", "\n".join((*lines(made), "")))


@pytest.mark.parametrize(
    ("hosts", "size", "why"),
    [(("a",), 2**30, "fewer than two"), (HOSTS, 1000, "8388608 is the smallest size")],
)
def test_what_cannot_be_compared_is_refused(hosts, size, why):
    with pytest.raises(InputError, match=why):
        plan(SharpRequest(program=Program.TORCH, hosts=hosts, total_bytes=size))
