"""`sunk.Executor` on a real Slurm, as an ordinary user."""

from __future__ import annotations

import json
import time

import pytest

from sunk.clients.process import Completed
from sunk.clients.slurm.commands import SlurmCommands
from sunk.errors import JobEnded, Rejected
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

    def __init__(self, slurm: SlurmNamespace) -> None:
        self._slurm = slurm
        self._root = str(slurm.path(""))
        self.programs: list[str] = []

    def __call__(self, argv, *, timeout_seconds, env=None, check=True) -> Completed:
        words = [str(word).replace(self._root, "") for word in argv]
        self.programs.append(words[0])
        if words[0] == "sbatch":
            self._slurm.run("chown", "-R", ALICE.name, ROOT)
        return self._slurm.run(
            *words, user=ALICE.name, check=check, timeout_seconds=timeout_seconds
        )


@pytest.fixture
def outside(slurm):
    return Outside(slurm)


@pytest.fixture
def executor(slurm, outside):
    backend = SlurmBackend(SlurmCommands(outside))
    return CallExecutor(backend, slurm.path(ROOT), {"python": "python3", "memory_per_node": "100"})


def greet(name, fail=False):
    import os
    import pwd

    if fail:
        raise ValueError(f"not {name}")
    print(f"hello {name}", flush=True)
    return name, pwd.getpwuid(os.getuid()).pw_name, os.environ["SLURM_JOB_ID"]


def wait_for(gate):
    import os
    import time

    while not os.path.exists(gate):
        time.sleep(0.1)
    return "through"


def test_results_and_exceptions_come_back_from_jobs(executor):
    good, bad = executor.submit(greet, "a"), executor.submit(greet, "b", fail=True)
    assert good.result(SECONDS) == ("a", ALICE.name, good.job_id)
    assert "hello a\n" in good.stdout.read_text()
    error = bad.exception(SECONDS)
    assert (type(error), str(error)) == (ValueError, "not b")
    assert "in greet" in str(error.__cause__)
    assert json.loads((good.folder / "record.json").read_text())["job_id"] == int(good.job_id)


def test_array_is_one_submission_and_as_many_results(executor, outside):
    futures = executor.map_array(lambda one: one * one, range(8))
    assert sorted(one.result() for one in executor.as_completed(futures, SECONDS)) == [
        one * one for one in range(8)
    ]
    assert outside.programs.count("sbatch") == 1


def test_one_element_is_cancelled_and_the_others_go_on(slurm, executor):
    gate = f"{ROOT}/gate-{time.time_ns()}"
    futures = executor.map_array(wait_for, [gate] * 3)
    eventually(lambda: futures[1].state == "RUNNING", SECONDS, what="start")
    assert futures[1].cancel()
    with pytest.raises(JobEnded) as caught:
        futures[1].result(SECONDS)
    assert (caught.value.state, futures[1].cancelled()) == ("CANCELLED", True)
    slurm.path(gate).touch()
    assert [futures[0].result(SECONDS), futures[2].result(SECONDS)] == ["through", "through"]


def test_controller_that_is_away_changes_nothing(slurm, executor, outside):
    gate = f"{ROOT}/gate-{time.time_ns()}"
    running, waiting = executor.submit(wait_for, gate), executor.submit(wait_for, gate)
    eventually(lambda: running.state == "RUNNING", SECONDS, what="start")
    slurm.halt("slurmctld")
    with pytest.raises(TimeoutError):
        waiting.result(5)
    assert running.state == "RUNNING"
    slurm.daemon("slurmctld", ["slurmctld", "-D"], user="slurm")
    eventually(lambda: "UP" in slurm.output("scontrol", "ping"), SECONDS, what="slurmctld")
    slurm.path(gate).touch()
    assert {one.result() for one in executor.as_completed([running, waiting], SECONDS)} == {
        "through"
    }
    assert "scancel" not in outside.programs


def test_job_that_dies_says_how(executor):
    def die():
        import os

        print("farewell", flush=True)
        os.kill(os.getpid(), 9)

    with pytest.raises(JobEnded, match=r"it ended FAILED on w\d, exit code 137"):
        executor.submit(die).result(SECONDS)


def test_refusal_of_slurm_is_told(slurm, outside):
    backend = SlurmBackend(SlurmCommands(outside))
    executor = CallExecutor(backend, slurm.path(ROOT), {"partition": "nowhere"})
    with pytest.raises(Rejected, match="invalid partition"):
        executor.submit(greet, "a")
