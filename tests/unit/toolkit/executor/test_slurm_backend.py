"""Calls on Slurm: how often it is asked, and what its silence means."""

from __future__ import annotations

import pytest

from sunk.errors import CommandError, JobEnded, NotFound, Unreachable
from sunk.model.slurm import Job, JobId, JobState
from sunk.toolkit.executor import CallExecutor
from sunk.toolkit.executor.slurm import SlurmBackend
from sunk.toolkit.follow import Clock
from sunk_jobs import call as caller


class Slurm:
    """Knows what it is told to; time passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[list] = []
        self.cancelled: list[tuple] = []
        self.known: dict = {}
        self.fault: Exception | None = None
        self.plan: dict[float, object] = {}

    def submit(self, script, folder):
        self.folder = folder
        return JobId(7)

    def jobs(self, wanted):
        self.asked.append(sorted(wanted, key=str))
        if self.fault:
            raise self.fault
        return {key: self.known[key] for key in wanted if key in self.known}

    def cancel(self, job_id, element=None):
        self.cancelled.append((job_id, element))
        if self.fault:
            raise self.fault

    def say(self, state: JobState, element=None, **fields) -> None:
        self.known[JobId(7), element] = Job(job_id=JobId(7), state=state, **fields)

    def finish(self, index: int) -> None:
        result, _ = caller.call(self.folder / "calls", index)
        caller.write_result(self.folder / "calls", index, result)

    def at(self, seconds: float, act) -> None:
        self.plan[seconds] = act

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for when in sorted(one for one in self.plan if one <= self.now):
            self.plan.pop(when)()


@pytest.fixture
def slurm():
    return Slurm()


@pytest.fixture
def executor(slurm, tmp_path):
    clock = Clock(now=lambda: slurm.now, sleep=slurm.sleep)
    return CallExecutor(SlurmBackend(slurm, clock), tmp_path, {"python": "python3"}, clock)


def test_all_calls_are_asked_about_at_once_and_ever_more_rarely(slurm, executor):
    futures = executor.map_array(lambda one: one, range(50))
    for index in range(50):
        slurm.say(JobState.RUNNING, index)
        slurm.at(3600, lambda: [slurm.finish(one) for one in range(50)])
    assert [one.result() for one in futures] == list(range(50))
    assert {len(one) for one in slurm.asked} == {50}
    assert len(slurm.asked) < 3600 / 30 + 20


def test_result_is_taken_without_asking_slurm(slurm, executor):
    future = executor.submit(lambda: 5)
    slurm.finish(0)
    assert future.result() == 5
    assert slurm.asked == []


@pytest.mark.parametrize(
    "fault",
    [
        Unreachable("x", system="slurm"),
        CommandError("run squeue: no end after 60 s"),
        NotFound("x", system="slurm"),
    ],
)
def test_lost_sight_is_unknown_and_cancels_nothing(slurm, executor, fault):
    future = executor.submit(lambda: 5)
    slurm.fault = fault
    with pytest.raises(TimeoutError, match="it has not ended"):
        future.result(1200)
    assert future.state == "UNKNOWN"
    assert slurm.cancelled == []
    slurm.fault = None
    slurm.finish(0)
    assert future.result() == 5


def test_last_known_state_is_kept_while_slurm_is_silent(slurm, executor):
    future = executor.submit(lambda: 5)
    slurm.say(JobState.RUNNING)
    assert future.state == "RUNNING"
    slurm.fault = Unreachable("x", system="slurm")
    slurm.sleep(100)
    assert future.state == "RUNNING"


def test_job_that_ends_without_a_result_is_an_error_with_its_state(slurm, executor):
    future = executor.submit(lambda: 5)
    future.stdout.write_text("slurmstepd: error: killed\n")
    slurm.say(JobState.OUT_OF_MEMORY, nodes="w-1", exit_code=0)
    with pytest.raises(JobEnded) as caught:
        future.result()
    assert caught.value.message == (
        "get result of job 7: it ended OUT_OF_MEMORY on w-1, exit code 0; "
        "last words: slurmstepd: error: killed"
    )


def test_last_words_are_those_that_say_why_not_those_of_the_launcher(slurm, executor):
    future = executor.submit(lambda: 5)
    why = "slurmstepd-w-2: error: execve(): /opt/sunk/bin/python3: No such file or directory"
    future.stdout.write_text(
        f"{why}\nsrun: error: w-2: task 0: Exited with exit code 2\nsrun: Terminating StepId=20.0\n"
    )
    slurm.say(JobState.FAILED, nodes="w-2", exit_code=2)
    with pytest.raises(JobEnded, match="exit code 2; last words: ") as caught:
        future.result()
    assert caught.value.message.endswith(why)


def test_result_that_comes_into_sight_after_the_jobs_end_is_taken(slurm, executor):
    future = executor.submit(lambda: 5)
    slurm.say(JobState.COMPLETED, exit_code=0)
    slurm.at(15, lambda: slurm.finish(0))
    assert future.result() == 5


def test_lost_node_is_no_end_when_slurm_starts_the_job_again(slurm, executor):
    future = executor.submit(lambda: 5)
    slurm.say(JobState.NODE_FAIL)
    slurm.at(5, lambda: slurm.say(JobState.PENDING))
    slurm.at(500, lambda: slurm.finish(0))
    assert future.result() == 5


def test_cancel_is_asked_for_one_element(slurm, executor):
    futures = executor.map_array(lambda one: one, range(3))
    assert futures[1].cancel()
    assert slurm.cancelled == [(7, 1)]
    slurm.say(JobState.CANCELLED, 1)
    with pytest.raises(JobEnded):
        futures[1].result()
    assert futures[1].cancelled()
    slurm.finish(0)
    assert futures[0].cancel() is False


def test_cancel_that_slurm_does_not_hear_is_an_error(slurm, executor):
    future = executor.submit(lambda: 5)
    slurm.fault = Unreachable("x", system="slurm")
    with pytest.raises(Unreachable):
        future.cancel()
