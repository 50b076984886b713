"""An active test through a job of its own on a real Slurm: steps, evidence, and what is left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sunk_jobs
from sunk.clients import process
from sunk.clients.slurm.commands import SlurmCommands
from sunk.wiring import fabric as wiring
from sunk_fabric import folder as folders
from sunk_fabric import service
from sunk_fabric.active import sharp
from sunk_fabric.active.layout import layout_of
from sunk_fabric.active.patterns import Pattern
from sunk_fabric.active.planning import Request, plan
from sunk_fabric.active.sharp_sides import Program
from sunk_fabric.active.tools import Settings, ToolName
from tests.support.sharp_runs import table, with_sharp, without_sharp
from tests.support.slurm_namespace import SlurmNamespace
from tests.support.slurm_texts import ADDRESS

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
NODES = ("w1", "w2", "w3")
PYTHON = "/opt/active/python"


@pytest.fixture
def python(slurm_namespace: SlurmNamespace) -> str:
    """A Python inside that has the job programs."""
    folder = slurm_namespace.path("/opt/active")
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(sunk_jobs.__file__).parent
    shutil.copytree(source, folder / "sunk_jobs", dirs_exist_ok=True)
    script = slurm_namespace.path(PYTHON)
    script.write_text('#!/bin/sh\nexec env PYTHONPATH=/opt/active python3 "$@"\n')
    script.chmod(0o755)
    return PYTHON


def slurm_inside(namespace: SlurmNamespace):
    """Return what starts programs and Slurm's commands inside."""

    def launch(argv, *, output, errors):
        return process.launch(namespace.inside(argv), output=output, errors=errors)

    def command(argv, *, timeout_seconds, env=None, check=True):
        words = [str(one) for one in argv]
        script = next((one for one in words if one.endswith(".sbatch")), None)
        if script is not None:
            # The script is written outside; Slurm's root is another.
            namespace.path("/tmp/hold.sbatch").write_text(Path(script).read_text())
            words = [*(one for one in words if not one.startswith("--chdir"))]
            words[words.index(script)] = "/tmp/hold.sbatch"
        return namespace.run(*words, check=check, timeout_seconds=timeout_seconds)

    return launch, SlurmCommands(command)


def run(
    namespace: SlurmNamespace, python: str, folder: Path, tool: ToolName = ToolName.PAIR, **reach
):
    """Run a tournament of the three nodes, and return what it left."""

    launch, commands = slurm_inside(namespace)
    made = plan(
        Request(
            pattern=Pattern.TOURNAMENT,
            layout=layout_of(NODES),
            seconds=1.0,
            setup_seconds=5.0,
            effect=0.5,
        )
    )
    return wiring.run(
        made,
        wiring.Reach(partition="all", **reach),
        tool,
        Settings(
            seconds=10.0 if tool is ToolName.MPI4PY else 1.0,
            total_bytes=10_000_000,
            message_bytes=2**20,
            python=python,
            wait_seconds=10.0,
        ),
        {(name, ""): ADDRESS for name in NODES},
        folder,
        lambda _text: None,
        launch=launch,
        commands=commands,
    )


def test_test_runs_in_a_job_of_its_own_and_leaves_nothing(slurm_namespace, python, tmp_path):
    held = run(slurm_namespace, python, tmp_path / "found")
    pairs = {(one.sender, one.receiver) for one in held.record.attempts if one.evidence}
    assert pairs == {(one, other) for one in NODES for other in NODES if one != other}
    assert {one.host: one.state for one in held.record.cleanup} == dict.fromkeys(NODES, "clean")
    assert slurm_namespace.output("squeue", "--noheader", "--name", "sunk-fabric-test") == ""
    assert "sunk_jobs" not in slurm_namespace.output("ps", "axww")
    verdicts = {
        one.check: one.verdict
        for one in service.check(tmp_path / "found", None, None, ("pair.whole", "pair.path"))
    }
    assert verdicts == {"pair.whole": "PASS", "pair.path": "PASS"}


def test_ranks_of_mpi_are_transfers_too(slurm_namespace, python, tmp_path):
    held = run(slurm_namespace, python, tmp_path / "found", ToolName.MPI4PY)
    rates = {
        (one.flow.sender, one.flow.receiver): one.gbit_per_s
        for test in folders.read(tmp_path / "found")[0].tests
        for one in test.samples
        if not one.gone
    }
    assert set(rates) == {(one, other) for one in NODES for other in NODES if one != other}
    assert all(one is not None and one > 0 for one in rates.values())
    assert {one.host: one.state for one in held.record.cleanup} == dict.fromkeys(NODES, "clean")
    found = service.check(tmp_path / "found", None, None, ("pair.whole", "pair.path"))
    # MPI does not say over which device its bytes went.
    assert {one.check: one.verdict for one in found} == {
        "pair.whole": "PASS",
        "pair.path": "UNKNOWN",
    }


def test_job_that_was_there_is_used_and_left_running(slurm_namespace, python, tmp_path):
    hold = ("--parsable", "-N3", "--exclusive", "-p", "all", "--wrap", "exec sleep 300")
    number = slurm_namespace.output("sbatch", *hold).strip()
    try:
        held = run(slurm_namespace, python, tmp_path / "found", job=int(number))
        assert all(one.evidence for one in held.record.attempts)
        shown = slurm_namespace.output("squeue", "--noheader", "-j", number, "-o", "%T")
        assert shown.strip() == "RUNNING"
    finally:
        slurm_namespace.output("scancel", number)


REDUCER = "/usr/bin/all_reduce_perf"
STAND_IN = """#!/bin/sh
# Prints what all_reduce_perf and NCCL would: nothing here has a GPU.
cat "/opt/reduced/$NCCL_COLLNET_ENABLE/log.$SLURM_PROCID" >"$NCCL_DEBUG_FILE"
[ "$SLURM_PROCID" = 0 ] && cat "/opt/reduced/$NCCL_COLLNET_ENABLE/table"
exit 0
"""


def test_program_runs_with_sharp_and_without_in_one_job_and_each_is_proved(
    slurm_namespace, python, tmp_path
):
    for side, rate, log in (("1", 200.0, with_sharp), ("0", 100.0, without_sharp)):
        folder = slurm_namespace.path(f"/opt/reduced/{side}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table").write_text(table(rate, NODES))
        for rank, name in enumerate(NODES):
            (folder / f"log.{rank}").write_text(log(hosts=[name]))
    script = slurm_namespace.path(REDUCER)
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(STAND_IN)
    script.chmod(0o755)
    launch, commands = slurm_inside(slurm_namespace)
    made = sharp.plan(sharp.SharpRequest(program=Program.ALL_REDUCE_PERF, hosts=NODES, minutes=2.0))
    done = wiring.compare(
        made,
        wiring.Reach(partition="all"),
        python,
        tmp_path / "found",
        lambda _text: None,
        launch=launch,
        commands=commands,
    )
    (one,) = service.check(tmp_path / "found", None, None, ("sharp.nccl.gain",))
    words = (
        "2.00 times the algorithm bandwidth without, median of 3 sizes, 2 runs with and 2 without"
    )
    assert (one.verdict, one.found) == ("PASS", words)
    assert {each.host: each.state for each in done.cleanup} == dict.fromkeys(NODES, "clean")
    assert slurm_namespace.output("squeue", "--noheader", "--name", "sunk-fabric-test") == ""
