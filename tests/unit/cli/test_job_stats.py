from __future__ import annotations

import json
import os

import pytest

from sunk.cli import app, exits
from sunk.model.profile import Price, TopologyPlugin
from sunk.render.profile import dump_profile
from tests.support.job_cases import profile_of

BEGIN = 1_767_322_800


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
        "failures": 1,
        "allocated_seconds": 50.0,
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
        "node_hours": 0.0278,
        "cost": None,
        "lost_cost": None,
        "currency": "",
    }


def test_cost_is_that_of_the_partition_in_the_profile(run, capsys, tmp_path):
    from dataclasses import replace

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
