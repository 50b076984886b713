from __future__ import annotations

import json
import os

import pytest

from sunk.cli import app, exits
from sunk.errors import NotFound, Unreachable
from sunk.model.slurm import Job, JobId, JobState
from sunk.wiring import login

LEDGER = {"attempt": 0, "rc": 1, "class": "fabric", "action": "successor", "step": 30}


class Slurm:
    def __init__(self) -> None:
        self.known: dict = {}
        self.asked: list = []
        self.cancelled: list = []
        self.fault: Exception | None = None

    def jobs(self, wanted):
        self.asked.append(set(wanted))
        if self.fault:
            raise self.fault
        return {key: self.known[key] for key in wanted if key in self.known}

    def cancel(self, job_id, element=None):
        if self.fault:
            raise self.fault
        if job_id == 17:
            raise NotFound("x", system="slurm")
        self.cancelled.append(job_id)


@pytest.fixture
def slurm(monkeypatch):
    one = Slurm()
    monkeypatch.setattr(login, "slurm_commands", lambda: one)
    return one


@pytest.fixture
def root(tmp_path):
    """A run with a successor, an array, and one that sbatch refused."""

    def run(name, **record):
        (tmp_path / name / "record").mkdir(parents=True)
        text = json.dumps({"template": name, "job_id": None, "elements": None} | record)
        (tmp_path / name / "record.json").write_text(text)
        return tmp_path / name / "record"

    record = run("fsdp2", job_id=17)
    (record / "ledger.jsonl").write_text(json.dumps(LEDGER))
    (record / "successor.0").write_text("18;lab\n")
    (record / "map.1").touch()
    manifest = tmp_path / "fsdp2" / "ckpt" / "step_00000040" / "MANIFEST.json"
    manifest.parent.mkdir(parents=True)
    manifest.touch()
    run("sweep", job_id=20, elements=3)
    run("refused")
    return tmp_path


def said(capsys, *words: str):
    code = app.run(["job", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_status_is_that_of_the_job_that_goes_on(slurm, root, capsys):
    slurm.known[18, None] = Job(job_id=JobId(18), state=JobState.RUNNING, nodes="w-[0-1]")
    code, out, _ = said(capsys, "status", "17", "--run-dir", str(root), "--output", "json")
    assert code == exits.OK
    assert json.loads(out) == {
        "run": "fsdp2",
        "template": "fsdp2",
        "job_id": "18",
        "state": "RUNNING",
        "reason": "",
        "nodes": "w-[0-1]",
        "exit_code": None,
        "attempts": 2,
        "step": 40,
        "last": "fabric",
    }


def test_elements_of_an_array_are_counted_by_state(slurm, root, capsys):
    for index, state in enumerate([JobState.COMPLETED, JobState.FAILED, JobState.COMPLETED]):
        slurm.known[20, index] = Job(job_id=JobId(20), state=state)
    code, out, _ = said(capsys, "status", str(root / "sweep"), "-o", "json")
    assert (code, json.loads(out)["state"]) == (exits.OK, "2 COMPLETED, 1 FAILED")


@pytest.mark.parametrize("fault", [None, Unreachable("x", system="slurm")])
def test_what_slurm_does_not_say_is_unknown(slurm, root, capsys, fault):
    slurm.fault = fault
    code, out, _ = said(capsys, "status", str(root / "fsdp2"), "-o", "json")
    assert (code, json.loads(out)["state"]) == (exits.UNKNOWN, "UNKNOWN")


def test_run_that_was_submitted_last_is_listed_first_whatever_its_name(slurm, root, capsys):
    for when, name in enumerate(("sweep", "fsdp2", "refused")):
        os.utime(root / name / "record.json", (when, when))
    _, out, _ = said(capsys, "list", "--run-dir", str(root), "--output", "json")
    assert [one["run"] for one in json.loads(out)] == ["refused", "fsdp2", "sweep"]


def test_all_runs_are_listed_with_one_question(slurm, root, capsys):
    slurm.known[18, None] = Job(job_id=JobId(18), state=JobState.PENDING, reason="Priority")
    for index in range(3):
        slurm.known[20, index] = Job(job_id=JobId(20), state=JobState.RUNNING)
    code, out, _ = said(capsys, "list", "--run-dir", str(root), "-o", "json")
    assert code == exits.OK
    assert {one["run"]: one["state"] for one in json.loads(out)} == {
        "sweep": "3 RUNNING",
        "refused": "not submitted",
        "fsdp2": "PENDING",
    }
    assert slurm.asked == [{(18, None), (20, 0), (20, 1), (20, 2)}]


def test_cancel_ends_the_jobs_that_go_on_too(slurm, root, capsys):
    code, _, err = said(capsys, "cancel", str(root / "fsdp2"))
    assert (code, slurm.cancelled) == (exits.OK, [18])
    assert err == "job 18: cancelled\njob 17 had ended\n"


def test_dry_run_cancels_nothing(slurm, root, capsys):
    code, _, err = said(capsys, "cancel", str(root / "fsdp2"), "--dry-run")
    assert (code, slurm.cancelled, err) == (exits.OK, [], "would cancel 17, 18\n")


def test_run_that_was_not_submitted_cannot_be_cancelled(slurm, root, capsys):
    code, _, err = said(capsys, "cancel", str(root / "refused"))
    assert code == exits.USAGE
    assert "it was not submitted" in err


def test_cancel_that_slurm_does_not_hear_is_4(slurm, root, capsys):
    slurm.fault = Unreachable("cancel job 18: no answer", system="slurm")
    assert said(capsys, "cancel", str(root / "fsdp2"))[0] == exits.REMOTE_SYSTEM


def test_unknown_run_is_named(slurm, root, capsys):
    code, _, err = said(capsys, "status", "99", "--run-dir", str(root))
    assert code == exits.USAGE
    assert f"show job 99: no run folder in {root} is of this job" in err
