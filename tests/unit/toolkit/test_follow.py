from __future__ import annotations

import pytest

from sunk.errors import NotFound, Unreachable
from sunk.model.slurm import Job, JobId, JobState
from sunk.toolkit.follow import Clock, completed, describe, follow, follow_array

ID = JobId(7)


def a_job(state: JobState, **fields) -> Job:
    return Job(job_id=ID, state=state, **fields)


class Script:
    """Answers with one thing after another; the last one for ever."""

    def __init__(self, *answers: Job | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.now = 0.0

    def job(self, job_id: JobId) -> Job:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)


def followed(script: Script, **options) -> tuple[Job, list[str]]:
    said: list[str] = []
    return follow(script, ID, said.append, clock=script.clock, **options), said


def test_each_state_is_told_once():
    script = Script(
        a_job(JobState.PENDING, reason="Resources"),
        a_job(JobState.PENDING, reason="Resources"),
        a_job(JobState.RUNNING, nodes="w-[0-1]"),
        a_job(JobState.RUNNING, nodes="w-[0-1]"),
        a_job(JobState.COMPLETED, nodes="w-[0-1]", exit_code=0),
    )
    _, said = followed(script)
    assert said == [
        "job 7 PENDING (Resources)",
        "job 7 RUNNING on w-[0-1]",
        "job 7 COMPLETED on w-[0-1], exit code 0",
    ]


def test_job_that_accounting_does_not_know_yet_is_waited_for():
    lag = NotFound("x", system="slurm")
    last, _ = followed(Script(lag, lag, a_job(JobState.COMPLETED, exit_code=0)))
    assert completed(last)


def test_slurm_away_for_a_moment_is_waited_for():
    gone = Unreachable("x", system="slurm")
    last, _ = followed(Script(a_job(JobState.RUNNING), gone, gone, a_job(JobState.FAILED)))
    assert last.state is JobState.FAILED


@pytest.mark.parametrize("answers", [(Unreachable,), (JobState.RUNNING, NotFound)])
def test_following_gives_up_after_a_minute_of_not_knowing(answers):
    made = [
        a_job(one) if isinstance(one, JobState) else one("x", system="slurm") for one in answers
    ]
    script = Script(*made)
    with pytest.raises(answers[-1]):
        followed(script)
    assert 60 < script.now < 75


def test_job_that_slurm_never_knew_is_given_up_after_ten_seconds():
    script = Script(NotFound("x", system="slurm"))
    with pytest.raises(NotFound):
        followed(script)
    assert 10 < script.now < 15


def test_polling_slows_down_on_a_long_job():
    script = Script(*[a_job(JobState.RUNNING)] * 200, a_job(JobState.COMPLETED))
    followed(script)
    assert script.now > 200 * 5
    assert script.asked == 201


def test_output_is_told_in_whole_lines_as_it_grows(tmp_path):
    log = tmp_path / "job.log"

    class Writing(Script):
        def job(self, job_id):
            with log.open("a") as sink:
                sink.write(["one\ntw", "o\n", "three\n"][min(self.asked, 2)])
            return super().job(job_id)

    script = Writing(a_job(JobState.RUNNING), a_job(JobState.RUNNING), a_job(JobState.COMPLETED))
    _, said = followed(script, log=log)
    assert [line for line in said if line.startswith("  | ")] == ["  | one", "  | two", "  | three"]


@pytest.mark.parametrize(
    ("state", "exit_code", "fine"),
    [
        (JobState.COMPLETED, 0, True),
        (JobState.COMPLETED, None, True),
        (JobState.COMPLETED, 1, False),
        (JobState.FAILED, 0, False),
        (JobState.CANCELLED, 0, False),
        (JobState.TIMEOUT, 0, False),
    ],
)
def test_only_completed_with_exit_code_0_is_fine(state, exit_code, fine):
    assert completed(a_job(state, exit_code=exit_code)) is fine


def test_signal_is_told():
    words = describe(a_job(JobState.FAILED, exit_code=0, exit_signal=9))
    assert words == "job 7 FAILED, exit code 0, signal 9"


# --- arrays


def element(index: int, state: JobState, **fields) -> Job:
    return a_job(state, array_job_id=ID, array_task_id=index, **fields)


class ArrayScript(Script):
    """Answers with the elements of an array, one picture after the other."""

    def elements(self, job_id: JobId) -> tuple[Job, ...]:
        return self.job(job_id)


def test_every_element_of_an_array_is_followed_to_its_end(tmp_path):
    (tmp_path / "1").write_text("said\n")
    script = ArrayScript(
        NotFound("x", system="slurm"),
        (element(0, JobState.RUNNING, nodes="w-0"),),
        (element(0, JobState.COMPLETED, exit_code=0), element(1, JobState.RUNNING)),
        (element(0, JobState.COMPLETED, exit_code=0), element(1, JobState.FAILED, exit_code=3)),
    )
    said: list[str] = []
    last = follow_array(
        script, ID, 2, said.append, logs=lambda index: tmp_path / str(index), clock=script.clock
    )
    assert said == [
        "job 7_0 RUNNING on w-0",
        "job 7_0 COMPLETED, exit code 0",
        "job 7_1 RUNNING",
        "  1 | said",
        "job 7_1 FAILED, exit code 3",
    ]
    assert [completed(one) for one in last] == [True, False]


def test_following_an_array_gives_up_after_a_minute_of_not_knowing():
    script = ArrayScript(Unreachable("x", system="slurm"))
    with pytest.raises(Unreachable):
        follow_array(script, ID, 2, [].append, clock=script.clock)
    assert 60 < script.now < 75
