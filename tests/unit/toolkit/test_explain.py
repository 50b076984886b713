"""The paragraph on a failure. Logs are simulated, see tests/support/failed_runs."""

from __future__ import annotations

import json
import time

import pytest

from sunk.cli import app, exits
from sunk.errors import Unreachable
from sunk.model.accounting import Allocation
from sunk.model.slurm import Job, JobId, JobState
from sunk.wiring import login
from sunk_jobs import triage
from tests.support.failed_runs import SCENES, FailedRun
from tests.support.golden import check_golden


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
    (run.folder / "logs" / "0.4.log").write_text("")
    (run.folder / "record.json").write_text(json.dumps({"job_id": 17}))
    (run.folder / "record" / "successor.2").write_text("20\n")
    monkeypatch.setattr(login, "slurm_commands", Restarted)
    words = ["job", "explain", str(run.folder), "--attempt", str(attempt)]
    assert app.run(words) == exits.UNKNOWN
    text = " ".join(capsys.readouterr().out.split())
    went_on = f"Attempt {attempt + 1} went on. " if attempt < 4 else ""
    assert f"Slurm says: {said} {went_on}No step is committed." in text
    # Whether an end that only a newer Slurm has a word for is one is not known.
    assert ("it still runs, or" in text) == (attempt == 4)
    assert app.run([*words[:-1], "5"]) == exits.USAGE
    assert "the last one is 4" in capsys.readouterr().err


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


def test_run_that_was_not_submitted_cannot_be_explained(run, capsys):
    assert app.run(["job", "explain", str(run.folder)]) == exits.USAGE
    assert "it was not submitted" in capsys.readouterr().err


MPI_LOG = """\
Traceback (most recent call last):
  File "/home/alice/bad.py", line 3, in <module>
    if c.rank==1: raise KeyError("labels")
KeyError: 'labels'
srun: error: w-0: task 1: Exited with exit code 1
srun: Terminating StepId=12.1
srun: error: w-2: task 0: Killed
"""


def plain(run, monkeypatch, *states: str) -> None:
    """Make it the run of a script that judges nothing, whose job went through states."""
    (run.folder / "record.json").write_text(json.dumps({"job_id": 12}))
    (run.folder / "job.sbatch").write_text("srun true\n")
    (run.folder / "job.log").write_text(MPI_LOG)

    class Known:
        def allocations(self, job_ids):
            return {
                one: tuple(Allocation(job_id=one, state=each) for each in states) for one in job_ids
            }

        def job(self, job_id):
            return Job(job_id=job_id, state=JobState.RUNNING, nodes="w-[0,2]")

    monkeypatch.setattr(login, "slurm_commands", Known)


def test_job_of_a_script_that_judges_nothing_is_explained_by_its_log_and_slurm(
    run, capsys, monkeypatch
):
    """The log is a recording of the local cluster, shortened."""
    plain(run, monkeypatch, "FAILED")
    code, text = explained(run, capsys)
    assert code == exits.FAILED_CHECK
    assert text.strip() == (
        "First was the job itself: \"KeyError: 'labels'\". The first to fail was task 1 on w-0 "
        "(Exited with exit code 1). Slurm says: job 12 FAILED: it ended by itself, and not with 0."
    )


@pytest.mark.parametrize(
    ("states", "code", "text"),
    [
        (["COMPLETED"], exits.OK, "Slurm says: job 12 COMPLETED: it ended by itself, with 0."),
        (["TIMEOUT"], exits.FAILED_CHECK, "job 12 TIMEOUT: it reached its time limit."),
        (["CANCELLED by 0"], exits.FAILED_CHECK, "job 12 CANCELLED: it was cancelled by 0."),
        (["COMPLETING"], exits.UNKNOWN, "Slurm says: job 12 COMPLETING."),
        (["NEW_ONE"], exits.UNKNOWN, "Slurm says: job 12 NEW_ONE."),
        ([], exits.UNKNOWN, "Slurm says: job 12 RUNNING on w-[0,2]."),
    ],
)
def test_exit_code_for_a_script_that_judges_nothing_is_by_what_slurm_says(
    run, capsys, monkeypatch, states, code, text
):
    plain(run, monkeypatch, *states)
    given, said = explained(run, capsys)
    assert given == code
    assert said.strip().endswith(text)
    assert ("KeyError" in said) == (states != ["COMPLETED"])


def sweep(run, monkeypatch, *states: JobState) -> None:
    """Make it an array; each element that failed has a log of its own."""
    (run.folder / "record.json").write_text(json.dumps({"job_id": 20, "elements": len(states)}))
    for index, state in enumerate(states):
        text = f"ValueError: {index}\n" if index % 2 else ""
        log = f"Traceback (most recent call last):\n{text}" if text else "killed\n"
        exit_line = "srun: error: w-1: task 0: Exited with exit code 1\n" if index < 2 else ""
        (run.folder / f"job.{index}.log").write_text(log + exit_line * (state != "COMPLETED"))

    class Known:
        def jobs(self, wanted):
            return {
                (job_id, index): Job(job_id=job_id, state=states[index], nodes=f"w-{index}")
                for job_id, index in wanted
                if states[index] is not JobState.UNKNOWN
            }

    monkeypatch.setattr(login, "slurm_commands", Known)


def test_elements_of_an_array_that_failed_are_named_with_what_their_logs_say(
    run, capsys, monkeypatch
):
    sweep(run, monkeypatch, JobState.FAILED, JobState.FAILED, JobState.COMPLETED, JobState.TIMEOUT)
    code, text = explained(run, capsys)
    assert code == exits.FAILED_CHECK
    assert text.strip() == (
        "Of 4 elements: 1 COMPLETED, 2 FAILED, 1 TIMEOUT. "
        "Element 0 FAILED on w-0; the first to fail was task 0 on w-1 (Exited with exit code 1). "
        'Element 1 FAILED on w-1: "ValueError: 1"; the first to fail was task 0 on w-1 (Exited '
        'with exit code 1). Element 3 TIMEOUT on w-3: "ValueError: 3".'
    )


@pytest.mark.parametrize(
    ("states", "code", "text"),
    [
        ([JobState.COMPLETED] * 3, exits.OK, "Of 3 elements: 3 COMPLETED."),
        (
            [JobState.COMPLETED, JobState.RUNNING],
            exits.UNKNOWN,
            "Of 2 elements: 1 COMPLETED, 1 RUNNING.",
        ),
        ([JobState.UNKNOWN], exits.UNKNOWN, "Of 1 elements: 1 UNKNOWN."),
        (
            [JobState.CANCELLED] * 11,
            exits.FAILED_CHECK,
            "Element 6 CANCELLED on w-6: its log does not say why. Element 7 CANCELLED on w-7: "
            '"ValueError: 7". 3 more failed.',
        ),
    ],
)
def test_all_elements_of_an_array_are_counted(run, capsys, monkeypatch, states, code, text):
    sweep(run, monkeypatch, *states)
    given, said = explained(run, capsys)
    assert (given, said.strip().endswith(text)) == (code, True)


def test_silent_slurm_leaves_open_how_a_job_ended_that_nobody_judged(run, capsys, monkeypatch):
    plain(run, monkeypatch)
    monkeypatch.setattr(login, "slurm_commands", Silent)
    code, text = explained(run, capsys)
    assert code == exits.UNKNOWN
    assert text.strip().endswith("Slurm does not say how the job is.")


def test_ledger_of_an_older_version_is_explained(run, capsys):
    old = {"attempt": 0, "rc": 75, "class": "saved", "action": "requeue", "step": 3, "reason": "x"}
    (run.folder / "record" / "ledger.jsonl").write_text(json.dumps(old) + "\n{torn")
    code, text = explained(run, capsys)
    assert code == exits.OK
    assert text.startswith("Attempt 0 saved all its state and stopped, as it was asked to. The job")
