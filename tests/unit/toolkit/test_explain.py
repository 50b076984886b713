"""The paragraph on a failure. Logs are simulated, see tests/support/failed_runs."""

from __future__ import annotations

import json
import time

import pytest

from sunk.cli import app, exits
from sunk.errors import Unreachable
from sunk.model.accounting import Allocation
from sunk.model.slurm import Job, JobId, JobState
from sunk.toolkit.catalogue import TEMPLATES, judging
from sunk.wiring import login
from sunk_jobs import triage
from tests.support.failed_runs import SCENES, FailedRun
from tests.support.golden import check_golden
from tests.support.job_cases import defaults


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(tmp_path):
    return FailedRun(tmp_path / "run")


def judged(run: FailedRun, status: int = 1) -> None:
    triage.main(["--run", str(run.folder), "--attempt", "0", "--rc", str(status)])


def explained(run: FailedRun, capsys, *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = app.run(["job", "explain", str(run.folder), *words])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("scene", SCENES)
def test_paragraph_on_a_failure(run, scene, capsys):
    SCENES[scene](run)
    judged(run)
    if scene == "fabric":
        (run.folder / "record" / "successor.0").write_text("18;lab\n")
    code, text = explained(run, capsys)
    stopped = "Nothing was started again" in text
    assert code == (exits.FAILED_CHECK if stopped else exits.OK)
    check_golden(f"explain/{scene}.txt", text)


@pytest.mark.parametrize(
    ("status", "name"), [(0, "done"), (75, "saved"), (76, "partial"), (93, "no")]
)
def test_paragraph_on_an_end_that_the_program_means(run, status, name, capsys):
    run.commit(20)
    judged(run, status)
    check_golden(f"explain/{name}.txt", explained(run, capsys)[1])


def test_attempt_without_a_verdict_is_read_from_its_logs_and_changes_nothing(run, capsys):
    SCENES["gpu"](run)
    before = sorted(run.folder.rglob("*"))
    code, text = explained(run, capsys)
    assert code == exits.UNKNOWN
    assert sorted(run.folder.rglob("*")) == before
    check_golden("explain/undecided.txt", text)


class Lost:
    def allocations(self, job_ids):
        return {}

    def job(self, job_id):
        return Job(job_id=job_id, state=JobState.NODE_FAIL, nodes=f"gpu-[{HUGE}]")


HUGE = ",".join(str(2 * one) for one in range(100_000))


def test_hostlist_of_a_hundred_thousand_nodes_is_cut(run, capsys, monkeypatch):
    (run.folder / "record.json").write_text(json.dumps({"job_id": 17}))
    (run.folder / "logs" / "0.0.log").write_text("")
    monkeypatch.setattr(login, "slurm_commands", Lost)
    code, text = explained(run, capsys)
    assert (code, len(text) < 600) == (exits.UNKNOWN, True)
    assert "Slurm says: job 17 NODE_FAIL on gpu-[0,2,4," in text


class Restarted:
    """Two jobs, of which the first was requeued twice."""

    def allocations(self, job_ids):
        states = {17: ("NODE_FAIL", "PREEMPTED", "FAILED"), 20: ("CANCELLED by 1001", "NEW_ONE")}
        return {
            job_id: tuple(Allocation(job_id=job_id, state=one) for one in states[job_id])
            for job_id in job_ids
        }


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (0, "job 17 NODE_FAIL: Slurm lost one of its nodes."),
        (1, "job 17 PREEMPTED: another job of a higher priority took its nodes."),
        (3, "job 20 CANCELLED: it was cancelled by 1001."),
        (4, "job 20 NEW_ONE."),
    ],
)
def test_attempt_without_a_verdict_has_the_end_that_slurm_saw_of_that_very_run(
    run, capsys, monkeypatch, attempt, said
):
    (run.folder / "record.json").write_text(json.dumps({"job_id": 17}))
    (run.folder / "record" / "successor.2").write_text("20\n")
    monkeypatch.setattr(login, "slurm_commands", Restarted)
    words = ["job", "explain", str(run.folder), "--attempt", str(attempt)]
    assert app.run(words) == exits.UNKNOWN
    assert f"Slurm says: {said}" in " ".join(capsys.readouterr().out.split())


def test_job_whose_script_judges_nothing_is_not_said_to_run_still(run, capsys):
    record = {"job_id": 17, "template": "hello"}
    (run.folder / "record.json").write_text(json.dumps(record))
    (run.folder / "record" / "versions.0.w-1.json").write_text("{}")
    assert explained(run, capsys) == (
        exits.UNKNOWN,
        "Attempt 0 has no verdict: scripts of template hello give none. No log shows a failure.\n",
    )


def test_templates_that_judge_are_those_whose_script_asks_triage():
    asked = {one.name for one in TEMPLATES if "sunk_jobs.triage" in defaults(one.name)}
    assert judging() == asked


def test_attempt_that_nobody_knows_is_refused(run, capsys):
    judged(run)
    assert app.run(["job", "explain", str(run.folder), "--attempt", "7"]) == exits.USAGE
    said = f"explain {run.folder}: attempt 7 left nothing there, and Slurm knows of none"
    assert said in capsys.readouterr().err


class Silent:
    def allocations(self, job_ids):
        raise Unreachable("x", system="slurm")

    def job(self, job_id):
        raise Unreachable("x", system="slurm")


def test_silent_slurm_is_no_hindrance(run, capsys, monkeypatch):
    (run.folder / "record.json").write_text(json.dumps({"job_id": int(JobId(17))}))
    (run.folder / "logs" / "0.0.log").write_text("")
    monkeypatch.setattr(login, "slurm_commands", Silent)
    code, text = explained(run, capsys)
    assert (code, "Slurm says" in text) == (exits.UNKNOWN, False)


def test_run_without_an_attempt_is_said(run, capsys):
    assert app.run(["job", "explain", str(run.folder)]) == exits.USAGE
    assert "it has no attempt yet" in capsys.readouterr().err


def test_ledger_of_an_older_version_is_explained(run, capsys):
    old = {"attempt": 0, "rc": 75, "class": "saved", "action": "requeue", "step": 3, "reason": "x"}
    (run.folder / "record" / "ledger.jsonl").write_text(json.dumps(old) + "\n{torn")
    code, text = explained(run, capsys)
    assert code == exits.OK
    assert text.startswith("Attempt 0 saved all its state and stopped, as it was asked to. The job")
