"""The probe job over a Slurm that a test plays: what it leaves, whatever happens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.errors import JobEnded, Rejected, Unreachable
from sunk.model.slurm import Job, JobId, JobState
from sunk.toolkit.follow import Clock
from sunk.toolkit.node_probe import probe

FACTS = {"schema": "sunk.dev/node_facts/v1", "node": "w-1"}


class Slurm:
    """A Slurm whose job does what it is told to when it is looked at."""

    def __init__(self, state: JobState = JobState.COMPLETED, text: str = json.dumps(FACTS)) -> None:
        self.state = state
        self.text = text
        self.script = ""
        self.folder = Path()
        self.cancelled: list[JobId] = []
        self.fault: BaseException | None = None

    def submit(self, script: Path, folder: Path) -> JobId:
        self.script, self.folder = script.read_text(), folder
        assert (folder / "sunk_jobs" / "node_facts.py").exists()
        return JobId(17)

    def job(self, job_id: JobId) -> Job:
        if self.fault is not None:
            raise self.fault
        if self.text:
            (self.folder / "facts.json").write_text(self.text)
        (self.folder / "probe.log").write_text("python3: command not found\n")
        return Job(job_id=job_id, state=self.state)

    def elements(self, job_id: JobId) -> tuple[Job, ...]:
        return ()

    def cancel(self, job_id: JobId, element: int | None = None) -> None:
        self.cancelled.append(job_id)


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def run(slurm: Slurm, root: Path, partition: str | None = None):
    time = Time()
    clock = Clock(now=lambda: time.at, sleep=time.sleep)
    return probe(slurm, root, partition, 300, lambda _line: None, clock)


def test_probe_returns_what_the_node_has_and_leaves_no_folder(tmp_path):
    slurm = Slurm()
    assert run(slurm, tmp_path / "runs", "gpu") == FACTS
    assert list((tmp_path / "runs").iterdir()) == []
    lines = slurm.script.splitlines()
    assert "#SBATCH --partition=gpu" in lines
    assert "#SBATCH --deadline=now+300" in lines
    assert slurm.cancelled == []


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), SystemExit(1), OSError("x")])
def test_probe_that_is_interrupted_is_cancelled(tmp_path, fault):
    slurm = Slurm()
    slurm.fault = fault
    with pytest.raises(type(fault)):
        run(slurm, tmp_path)
    assert (slurm.cancelled, list(tmp_path.iterdir())) == ([17], [])


def test_probe_whose_slurm_falls_silent_is_cancelled_as_far_as_that_goes(tmp_path):
    slurm = Slurm()
    slurm.fault = Unreachable("x", system="slurm")
    slurm.cancel = refuse
    with pytest.raises(Unreachable):
        run(slurm, tmp_path)
    assert list(tmp_path.iterdir()) == []


def refuse(*_words):
    raise Unreachable("x", system="slurm")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (JobState.DEADLINE, ""),
        (JobState.FAILED, ""),
        (JobState.COMPLETED, "{torn"),
        (JobState.COMPLETED, "{}"),
        (JobState.COMPLETED, ""),
    ],
)
def test_probe_without_a_result_says_how_it_ended(tmp_path, state, text):
    with pytest.raises(JobEnded) as raised:
        run(Slurm(state, text), tmp_path)
    assert raised.value.message == (
        f"probe a node by job 17: it ended as {state.value} without a result: "
        "python3: command not found"
    )
    assert list(tmp_path.iterdir()) == []


def test_refused_probe_leaves_no_folder(tmp_path):
    slurm = Slurm()
    slurm.submit = reject
    with pytest.raises(Rejected):
        run(slurm, tmp_path)
    assert list(tmp_path.iterdir()) == []


def reject(*_words):
    raise Rejected("x", system="slurm")
