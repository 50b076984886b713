"""`sunk.Executor` on a real Slurm, as an ordinary user."""

from __future__ import annotations

import json
import operator
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import sunk_jobs
from sunk.clients.process import Completed
from sunk.clients.slurm.commands import SlurmCommands
from sunk.errors import JobEnded, Rejected
from sunk.model.accounting import Allocation
from sunk.model.slurm import JobId
from sunk.toolkit.executor import CallExecutor
from sunk.toolkit.executor.slurm import SlurmBackend
from tests.contract.slurm_harness import CliHarness
from tests.support.eventually import eventually
from tests.support.slurm_namespace import ALICE, SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = "/tmp/calls"
SECONDS = 120


@pytest.fixture(scope="module")
def slurm(slurm_namespace: SlurmNamespace) -> SlurmNamespace:
    CliHarness(slurm_namespace).tidy()
    slurm_namespace.run("mkdir", "-p", ROOT)
    slurm_namespace.run("chown", ALICE.name, ROOT)
    return slurm_namespace


class Outside:
    """Runs Slurm's commands inside as the user, on run folders that were made from outside."""

    def __init__(self, slurm: SlurmNamespace, folder: str = ROOT) -> None:
        self._slurm = slurm
        self._folder = folder
        self._root = str(slurm.path(""))
        self.programs: list[str] = []

    def __call__(self, argv, *, timeout_seconds, env=None, check=True) -> Completed:
        words = [str(word).replace(self._root, "") for word in argv]
        self.programs.append(words[0])
        if words[0] == "sbatch":
            self._slurm.run("chown", "-R", ALICE.name, self._folder)
        # None takes a variable out, and inside there is none to begin with.
        given = {name: value for name, value in (env or {}).items() if value is not None}
        return self._slurm.run(
            *words, user=ALICE.name, check=check, timeout_seconds=timeout_seconds, env=given
        )


@pytest.fixture
def outside(slurm):
    return Outside(slurm)


@pytest.fixture
def executor(slurm, outside, monkeypatch):
    """Functions are called by the nodes' Python, another one than this; those of the standard
    library travel by their names and do not mind.
    """
    words = ("python3", "-c", "from sunk_jobs import call; print(call.version())")
    inside = slurm.run("env", f"PYTHONPATH={_programs(slurm)}", *words).stdout.strip()
    monkeypatch.setattr("sunk.toolkit.executor.executor.version", lambda: inside)
    backend = SlurmBackend(SlurmCommands(outside))
    return CallExecutor(backend, slurm.path(ROOT), {"python": "python3", "memory_per_node": "100"})


def _programs(slurm: SlurmNamespace) -> str:
    """Return where the job programs are inside, copied as a run folder has them."""
    target = slurm.path("/tmp/programs/sunk_jobs")
    shutil.copytree(Path(sunk_jobs.__file__).parent, target, dirs_exist_ok=True)
    return "/tmp/programs"


def gated(gate: str) -> list[str]:
    wait = f"while [ ! -e {gate} ]; do sleep 0.1; done"
    return ["sh", "-c", f"echo here >> {gate}.waiting; {wait}; printf through"]


def test_results_and_exceptions_come_back_from_jobs(executor):
    who = ["sh", "-c", "id -un; echo $SLURM_JOB_ID"]
    good = executor.submit(subprocess.check_output, who, text=True)
    said, bad = executor.submit(print, "hello"), executor.submit(operator.truediv, 1, 0)
    assert good.result(SECONDS) == f"{ALICE.name}\n{good.job_id}\n"
    assert said.result(SECONDS) is None
    assert "hello\n" in said.stdout.read_text()
    error = bad.exception(SECONDS)
    assert type(error) is ZeroDivisionError
    assert str(error.__cause__) == "\nZeroDivisionError: division by zero\n"
    assert json.loads((good.folder / "record.json").read_text())["job_id"] == int(good.job_id)


def test_array_is_one_submission_and_as_many_results(executor, outside):
    futures = executor.map_array(operator.mul, range(8), range(8))
    assert sorted(one.result() for one in executor.as_completed(futures, SECONDS)) == [
        one * one for one in range(8)
    ]
    assert outside.programs.count("sbatch") == 1


def test_one_element_is_cancelled_and_the_others_go_on(slurm, executor):
    gate = f"{ROOT}/gate-{time.time_ns()}"
    futures = executor.map_array(subprocess.check_output, [gated(gate)] * 3)
    eventually(lambda: futures[1].state == "RUNNING", SECONDS, what="start")
    assert futures[1].cancel()
    with pytest.raises(JobEnded) as caught:
        futures[1].result(SECONDS)
    assert (caught.value.state, futures[1].cancelled()) == ("CANCELLED", True)
    slurm.path(gate).touch()
    assert [futures[0].result(SECONDS), futures[2].result(SECONDS)] == [b"through"] * 2


def test_controller_that_is_away_changes_nothing(slurm, executor, outside):
    gate = f"{ROOT}/gate-{time.time_ns()}"
    words = (subprocess.check_output, gated(gate))
    first, second = executor.submit(*words), executor.submit(*words)
    here = slurm.path(f"{gate}.waiting")
    # Both steps run: one that asks a slurmctld that is starting is told that its job is unknown.
    eventually(lambda: here.exists() and len(here.read_text().split()) == 2, SECONDS, what="start")
    assert (first.state, second.state) == ("RUNNING", "RUNNING")
    # Asked to end: one that is killed may forget its last jobs, and give their numbers again.
    slurm.run("scontrol", "shutdown", "slurmctld")
    pid = slurm.path("/run/slurmctld/slurmctld.pid")
    eventually(lambda: not pid.exists(), SECONDS, what="end of slurmctld")
    slurm.halt("slurmctld")
    with pytest.raises(TimeoutError):
        second.result(5)
    assert first.state == "RUNNING"
    slurm.daemon("slurmctld", ["slurmctld", "-D"], user="slurm")
    eventually(lambda: "UP" in slurm.output("scontrol", "ping"), SECONDS, what="slurmctld")
    slurm.path(gate).touch()
    assert {one.result() for one in executor.as_completed([first, second], SECONDS)} == {b"through"}
    assert "scancel" not in outside.programs


def test_job_that_dies_says_how(executor):
    with pytest.raises(JobEnded, match=r"it ended FAILED on w\d, exit code 9"):
        executor.submit(os._exit, 9).result(SECONDS)


def test_refusal_of_slurm_is_told(slurm, outside):
    backend = SlurmBackend(SlurmCommands(outside))
    executor = CallExecutor(backend, slurm.path(ROOT), {"partition": "nowhere"})
    with pytest.raises(Rejected, match="invalid partition"):
        executor.submit(print)


def test_each_run_of_a_job_that_was_requeued_has_its_own_end(slurm, outside):
    gate = f"{ROOT}/gate-{time.time_ns()}"
    script = shlex.join(gated(gate))
    options = ("--parsable", "--requeue", "--mem=100", "--output=/dev/null", f"--wrap={script}")
    number = JobId(int(slurm.run("sbatch", *options, user=ALICE.name).stdout))
    commands = SlurmCommands(outside)
    here = slurm.path(f"{gate}.waiting")
    eventually(here.exists, SECONDS, what="start")
    slurm.run("scontrol", "requeue", str(number))
    slurm.path(gate).touch()

    def waits() -> bool:
        return slurm.output("squeue", "-h", f"-j{number}", "-o%r") == "BeginTime\n"

    eventually(waits, SECONDS, what="requeue")
    # Slurm waits two minutes: a node refuses a job's credential in the second in which it was
    # revoked, and the run ends as FAILED.
    slurm.run("scontrol", "update", f"JobId={number}", "StartTime=now+5")

    def ended() -> list[Allocation] | None:
        runs = list(commands.allocations([number]).get(number, ()))
        return runs if [one.state for one in runs] == ["REQUEUED", "COMPLETED"] else None

    first, second = eventually(ended, SECONDS, what="both runs in slurmdbd")
    moments = [one for run in (first, second) for one in (run.submit_time, run.start_time)]
    moments += [second.end_time]
    assert moments == sorted(moments)
    assert first.end_time <= second.start_time <= time.time()
    assert (first.nodes, second.nodes, second.billing >= 1) == (1, 1, True)
