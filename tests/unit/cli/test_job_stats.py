from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from sunk.cli import app, exits
from sunk.errors import Unreachable
from sunk.model.accounting import Allocation
from sunk.model.profile import Price, TopologyPlugin
from sunk.model.slurm import JobId
from sunk.render.profile import dump_profile
from sunk.wiring import login
from tests.support.job_cases import profile_of

BEGIN = 1_767_322_800


class Slurm:
    """Accounting that knows what a test says, or does not answer."""

    def __init__(self) -> None:
        self.known: dict | None = None

    def allocations(self, jobs):
        if self.known is None:
            raise Unreachable("ask slurmdbd: nobody there", system="slurm")
        return {job: self.known[job] for job in jobs if job in self.known}


@pytest.fixture(autouse=True)
def slurm(monkeypatch) -> Slurm:
    one = Slurm()
    monkeypatch.setattr(login, "slurm_commands", lambda: one)
    return one


def given(job: int, state: str, submit: int, start: int | None, end: int | None) -> Allocation:
    def at(after: int | None) -> int | None:
        return None if after is None else BEGIN + after

    times = {"submit_time": at(submit), "start_time": at(start), "end_time": at(end)}
    return Allocation(job_id=JobId(job), state=state, **times, nodes=2, billing=16)


@pytest.fixture
def run(tmp_path):
    """Two attempts on two nodes: ten steps of which four were lost, then eight."""
    for name in ("logs", "record"):
        (tmp_path / name).mkdir()
    record = {"job_id": 17, "parameters": {"nodes": 2, "partition": None}}
    (tmp_path / "record.json").write_text(json.dumps(record))
    entries = []
    for attempt, (start, first, last) in enumerate([(0, 1, 10), (100, 7, 14)]):
        probe = tmp_path / "record" / f"probe.{attempt}"
        probe.touch()
        os.utime(probe, (BEGIN + start, BEGIN + start))
        beats = tmp_path / "logs" / f"heartbeat.0.{attempt}.jsonl"
        lines = [
            json.dumps({"step": step, "time": BEGIN + start + 10 + step - first + 1})
            for step in range(first, last + 1)
        ]
        beats.write_text("".join(f"{line}\n" for line in lines))
        os.utime(beats, (BEGIN + start + 20, BEGIN + start + 20))
        entry = {"attempt": attempt, "rc": attempt, "step": last, "time_s": BEGIN + start + 25}
        what = {"class": "done", "action": "stop"} if attempt else {"class": "other"}
        entries.append(entry | {"action": "requeue"} | what)
    entries[0]["rc"], entries[1]["rc"] = 1, 0
    text = "".join(f"{json.dumps(one)}\n" for one in entries)
    (tmp_path / "record" / "ledger.jsonl").write_text(text)
    return tmp_path


def figures(capsys, *words: str) -> dict:
    assert app.run(["job", "stats", *words, "--output", "json"]) == exits.OK
    return json.loads(capsys.readouterr().out)


def test_time_of_a_run_is_told_from_its_files(run, capsys):
    assert figures(capsys, str(run)) == {
        "attempts": 2,
        "accounted": 0,
        "failures": 1,
        "allocated_seconds": 50.0,
        "queued_seconds": None,
        "waited_seconds": 75.0,
        "useful": 0.28,
        "lost": 0.08,
        "stalled": 0.0,
        "start": 0.4,
        "tail": 0.24,
        "step_seconds": 1.0,
        "save_seconds": None,
        "mtbf_seconds": 50.0,
        "save_every_seconds": None,
        "save_every_steps": None,
        "ettr": None,
        "node_hours": 0.0278,
        "billing_hours": None,
        "cost": None,
        "lost_cost": None,
        "currency": "",
    }


def test_slurm_that_does_not_answer_is_said_and_files_count(run, capsys):
    assert app.run(["job", "stats", str(run), "--output", "json"]) == exits.OK
    assert (
        "times are those of the run's files: ask slurmdbd: nobody there" in capsys.readouterr().err
    )


def test_times_of_every_attempt_of_the_chain_are_those_of_accounting(run, slurm, capsys):
    """Job 17 ran twice, once without a file; 18 went on for it. Files know of two attempts."""
    (run / "record" / "successor.0").write_text("18\n")
    slurm.known = {
        17: (given(17, "FAILED", -60, -20, 30),),
        18: (
            given(18, "PENDING", 30, None, None),
            given(18, "COMPLETED", 70, 80, 130),
            given(18, "NODE_FAIL", 140, 150, 160),
        ),
    }
    assert figures(capsys, str(run)) == {
        "attempts": 3,
        "accounted": 3,
        "failures": 2,
        "allocated_seconds": 110.0,
        "queued_seconds": 40.0,
        "waited_seconds": 70.0,
        "useful": 0.1273,
        "lost": 0.0364,
        "stalled": 0.0,
        "start": 0.6363,
        "tail": 0.2,
        "step_seconds": 1.0,
        "save_seconds": None,
        "mtbf_seconds": 55.0,
        "save_every_seconds": None,
        "save_every_steps": None,
        "ettr": 0.0636,
        "node_hours": 0.0611,
        "billing_hours": 0.4889,
        "cost": None,
        "lost_cost": None,
        "currency": "",
    }


@pytest.mark.parametrize(
    ("state", "failures"),
    [
        ("NODE_FAIL", 1),
        ("PREEMPTED", 1),
        ("REQUEUED", 1),
        ("OUT_OF_MEMORY", 1),
        ("TIMEOUT", 0),
        ("CANCELLED by 1001", 0),
    ],
)
def test_end_without_a_verdict_counts_as_accounting_calls_it(run, slurm, capsys, state, failures):
    (run / "record" / "ledger.jsonl").unlink()
    slurm.known = {17: (given(17, state, 0, 0, 30), given(17, "RUNNING", 50, 60, None))}
    assert figures(capsys, str(run))["failures"] == failures


def test_interval_between_saves_follows_from_what_was_measured(run, slurm, capsys):
    """A save of 5 s after each tenth step of 1 s; one failure in 1000 s."""
    times = [step + 5 * (step // 10) for step in range(1, 101)]
    lines = [json.dumps({"step": one, "time": BEGIN + at}) for one, at in enumerate(times, 1)]
    (run / "logs" / "heartbeat.0.0.jsonl").write_text("".join(f"{line}\n" for line in lines))
    slurm.known = {17: (given(17, "FAILED", 0, 0, 800), given(17, "RUNNING", 800, 800, 1000))}
    found = figures(capsys, str(run))
    assert (found["save_seconds"], found["mtbf_seconds"]) == (5.0, 1000.0)
    assert (found["save_every_seconds"], found["save_every_steps"]) == (96.7, 97)


def test_cost_is_that_of_the_partition_in_the_profile(run, capsys, tmp_path):
    made = profile_of(TopologyPlugin.TREE)
    default = next(one.name for one in made.partitions if one.default)
    price = Price(partition=default, per_node_hour=3600.0, currency="EUR")
    file = tmp_path / "profile.yaml"
    file.write_text(dump_profile("lab", replace(made, prices=(price,))))
    found = figures(capsys, str(run), "--profile", str(file))
    assert (found["cost"], found["lost_cost"], found["currency"]) == (100.0, 8.0, "EUR")


def test_run_that_has_not_begun_has_no_figures(tmp_path, capsys):
    found = figures(capsys, str(tmp_path))
    assert (found["attempts"], found["allocated_seconds"], found["useful"]) == (0, 0.0, 0.0)


def test_shares_and_curves_are_drawn_below_the_figures_and_into_the_file(run, capsys, tmp_path):
    losses = [{"step": step, "loss": 8.0 - step} for step in range(1, 9)]
    text = "".join(f"{json.dumps(one)}\n" for one in losses)
    (run / "record" / "loss.1.jsonl").write_text(text)
    file = tmp_path / "run.svg"
    assert app.run(["job", "stats", str(run), "--plot", str(file)]) == exits.OK
    lines = capsys.readouterr().out.splitlines()
    assert "useful    28.00%  ███████████" in lines
    assert lines[-1] == "loss: 7 █▇▆▅▄▃▂▁ 0 (step 1 to 8)"
    picture = file.read_text()
    assert "useful 28.0%" in picture
    assert "loss" in picture


def test_picture_of_another_form_is_refused_before_anything_is_printed(run, capsys, tmp_path):
    file = tmp_path / "run.gif"
    assert app.run(["job", "stats", str(run), "--plot", str(file)]) == exits.USAGE
    said = capsys.readouterr()
    assert (said.out, file.exists()) == ("", False)
    assert "give .svg or .png" in said.err


def test_array_is_no_chain_to_be_measured(run, capsys):
    (run / "record.json").write_text(json.dumps({"job_id": 17, "elements": 3}))
    assert app.run(["job", "stats", str(run)]) == exits.USAGE
    err = capsys.readouterr().err
    assert "an array's elements run side by side" in err
    assert "hint: sacct -X -j 17 -o JobID,State,Elapsed,AllocTRES" in err


def test_run_without_heartbeats_is_not_said_to_be_idle_without_a_word(run, slurm, capsys):
    for file in (run / "logs").glob("heartbeat.*"):
        file.unlink()
    slurm.known = {JobId(17): (given(17, "COMPLETED", 0, 5, 50),)}
    assert app.run(["job", "stats", str(run)]) == exits.OK
    assert "no rank wrote a heartbeat" in capsys.readouterr().err


def test_run_that_is_the_folder_at_hand_has_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert app.run(["job", "stats", ".", "--plot", "x.svg"]) == exits.USAGE
    assert f"draw {tmp_path.name}: there is nothing to draw" in capsys.readouterr().err
