from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk.errors import Rejected
from sunk.model.slurm import StartEstimate
from sunk.wiring import login
from tests.support.recorded_texts import recorded

NAMES = {
    "config": "configuration",
    **{name: name for name in ("partitions", "nodes", "topology")},
    **{name: name for name in ("qos", "associations", "users")},
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    for file, name in NAMES.items():
        (tmp_path / f"{file}.txt").write_text(recorded(name))
    return tmp_path


class Texts:
    """A Slurm that says what the recorded one said."""

    def __getattr__(self, name):
        return lambda: recorded(name)


def checked(*words: str) -> int:
    return app.run(["job", "check", "mpi", "--user", "alice", *words])


def test_job_that_could_start_is_0_from_slurm_and_from_saved_texts_alike(
    saved, capsys, monkeypatch
):
    monkeypatch.setattr(login, "slurm_texts", Texts)
    assert checked("--set", "partition=all") == exits.OK
    asked = capsys.readouterr()
    assert checked("--set", "partition=all", "--from", str(saved)) == exits.OK
    saved_too = capsys.readouterr()
    assert saved_too.err == asked.err
    assert "it could start" in asked.err
    [rest, start] = asked.out.split("presubmit.start")
    [saved_rest, saved_start] = saved_too.out.split("presubmit.start")
    assert rest == saved_rest
    assert "only to its user" in start
    assert "saved texts cannot say" in saved_start


class Asked:
    """An sbatch that keeps the script that it was asked about."""

    def __init__(self, outcome):
        self.outcome = outcome

    def start_estimate(self, script):
        self.script = script.read_text()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def asked_of(outcome, monkeypatch) -> Asked:
    slurm = Asked(outcome)
    monkeypatch.setattr(login, "slurm_texts", Texts)
    monkeypatch.setattr(login, "slurm_commands", lambda: slurm)
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    return slurm


def test_start_is_asked_of_slurm_with_the_script_that_would_be_submitted(capsys, monkeypatch):
    words = ("mpi", "--set", "partition=all", "--set", "nodes=2")
    at = "2026-01-02T03:04:05"
    estimate = StartEstimate(at=at, processors=4, nodes="w[1-2]", partition="all")
    slurm = asked_of(estimate, monkeypatch)
    assert app.run(["job", "check", *words, "--output", "json"]) == exits.OK
    last = json.loads(capsys.readouterr().out)[-1]
    assert last["found"] == f"would start at {at} on w[1-2] in all with 4 CPUs"
    assert app.run(["job", "render", *words]) == exits.OK
    assert capsys.readouterr().out == slurm.script


def test_script_that_slurm_would_refuse_fails_in_its_words(capsys, monkeypatch):
    asked_of(Rejected("no such QOS", system="slurm"), monkeypatch)
    words = ("mpi", "--set", "partition=all", "--output", "json")
    assert app.run(["job", "check", *words]) == exits.FAILED_CHECK
    last = json.loads(capsys.readouterr().out)[-1]
    assert (last["verdict"], last["found"]) == ("FAIL", "it can never start: no such QOS")


def test_job_that_can_never_start_is_1_and_says_where_it_would(saved, capsys):
    words = ("--set", "partition=all", "--set", "timeLimit=1-12", "--from", str(saved))
    assert checked(*words, "--output", "json") == exits.FAILED_CHECK
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["presubmit.partition.time"]["found"] == "2160 minutes, and all allows 1440"
    assert found["presubmit.limits"]["verdict"] == "FAIL"


def test_what_is_not_known_is_5(saved, capsys):
    (saved / "associations.txt").unlink()
    assert checked("--from", str(saved)) == exits.UNKNOWN
    assert "who may charge what is not known" in capsys.readouterr().out
