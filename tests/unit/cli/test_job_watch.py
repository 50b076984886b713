from __future__ import annotations

import json
import time

import pytest

from sunk.cli import app, exits, job_watch
from sunk.model.slurm import Job, JobId, JobState
from sunk.wiring import login


class Slurm:
    """Says one state after the other, and the last one for ever; nothing when there is none."""

    def __init__(self) -> None:
        self.states: list[JobState] = []
        self.asked = 0

    def jobs(self, wanted):
        self.asked += 1
        if not self.states:
            return {}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        reason = "Priority" if state is JobState.PENDING else ""
        return {key: Job(job_id=JobId(17), state=state, reason=reason) for key in wanted}


@pytest.fixture
def slurm(monkeypatch):
    one = Slurm()
    monkeypatch.setattr(login, "slurm_commands", lambda: one)
    monkeypatch.setattr(job_watch, "ASK_SECONDS", 0.0)
    return one


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "fsdp2"
    (folder / "logs").mkdir(parents=True)
    (folder / "record.json").write_text('{"template": "fsdp2", "job_id": 17, "elements": null}')
    return folder


def beat(run, step: int, ago: float = 0.0) -> None:
    with (run / "logs" / "heartbeat.0.0.jsonl").open("a") as sink:
        sink.write(json.dumps({"step": step, "time": time.time() - ago}) + "\n")


def said(capsys, run, *words: str):
    code = app.run(["job", "watch", str(run), "--every", "0.1", *words])
    found = capsys.readouterr()
    return code, found.out.splitlines(), found.err


def test_watch_of_a_job_that_completed_ends_and_calls_nothing_a_hang(slurm, run, capsys):
    beat(run, 100, ago=4000.0)
    slurm.states = [JobState.COMPLETED]
    assert said(capsys, run) == (exits.OK, ["job 17 COMPLETED"], "")
    assert said(capsys, run, "--once") == (exits.OK, ["job 17 COMPLETED"], "")


def test_watch_of_a_job_that_failed_before_its_first_step_ends_with_what_to_ask(slurm, run, capsys):
    slurm.states = [JobState.RUNNING, JobState.FAILED]
    code, lines, err = said(capsys, run)
    assert (code, lines) == (exits.FAILED_CHECK, ["job 17 RUNNING", "job 17 FAILED"])
    assert err == "what became of it: sunk job explain 17\n"


def test_watch_waits_for_a_job_that_waits(slurm, run, capsys):
    slurm.states = [JobState.PENDING, JobState.PENDING, JobState.RUNNING, JobState.COMPLETED]
    code, lines, _ = said(capsys, run)
    waits = "job 17 PENDING (Priority)"
    assert (code, lines) == (exits.OK, [waits, "job 17 RUNNING", "job 17 COMPLETED"])
    slurm.states = [JobState.PENDING]
    assert said(capsys, run, "--once")[:2] == (exits.OK, [waits])


def test_old_beats_of_a_requeued_job_that_waits_are_no_hang(slurm, run, capsys):
    beat(run, 40, ago=4000.0)
    slurm.states = [JobState.PENDING]
    assert said(capsys, run, "--once")[:2] == (exits.OK, ["job 17 PENDING (Priority)"])


def test_hang_is_told_while_slurm_does_not_say_how_the_job_is(slurm, run, capsys):
    beat(run, 40, ago=4000.0)
    code, lines, err = said(capsys, run, "--once")
    assert code == exits.FAILED_CHECK
    assert err.startswith("hangs at step 40 for 400")
    assert lines[1].split()[:2] == ["0", "40"]


def test_slurm_is_not_asked_while_ranks_go_on(slurm, run, capsys, monkeypatch):
    beat(run, 1)
    steps = iter(range(2, 6))

    def next_step(_seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            slurm.states = [JobState.COMPLETED]
        else:
            beat(run, step)

    monkeypatch.setattr(job_watch.time, "sleep", next_step)
    slurm.states = [JobState.RUNNING]
    code, lines, _ = said(capsys, run)
    assert code == exits.OK
    steps_said = [f"step {n}" for n in range(1, 6)]
    assert [line.split(",")[0] for line in lines] == [*steps_said, "job 17 COMPLETED"]
    # At the start, before there were two looks to compare, and when nobody went on any more.
    assert slurm.asked == 3


def test_run_that_was_not_submitted_cannot_be_watched(slurm, run, capsys):
    (run / "record.json").write_text('{"template": "fsdp2", "job_id": null, "elements": null}')
    code, _, err = said(capsys, run)
    assert code == exits.USAGE
    assert "there are no heartbeats in logs/" in err
