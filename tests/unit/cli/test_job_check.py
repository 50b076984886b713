from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
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
    assert capsys.readouterr() == asked
    assert "it could start" in asked.err


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
