from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk.errors import Rejected
from sunk.wiring import login


class Slurm:
    def submit(self, script: Path, folder: Path) -> int:
        return 17


def test_file_that_is_not_here_is_named_and_the_job_submitted(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(login, "slurm_commands", Slurm)
    words = ["--set", "inputs=[/no/part]", "--run-dir", str(tmp_path), "--output", "json"]
    assert app.run(["job", "submit", "data-preparation", *words]) == exits.OK
    said = capsys.readouterr()
    assert said.err == "inputs: /no/part is not on this machine; the nodes need it\n"
    assert json.loads(said.out)["job_id"] == 17


def test_prepared_run_is_complete_and_slurm_hears_nothing_of_it(monkeypatch, tmp_path, capsys):
    monkeypatch.delattr(Slurm, "submit")
    monkeypatch.setattr(login, "slurm_commands", Slurm)
    root = tmp_path / "my runs"
    words = ["--prepare", "--run-dir", str(root), "--output", "json"]
    assert app.run(["job", "submit", "hello", *words]) == exits.OK
    (folder,) = root.iterdir()
    assert json.loads(capsys.readouterr().out) == {
        "folder": str(folder),
        "command": f"sbatch '--chdir={folder}' '{folder}/job.sbatch'",
    }
    assert (folder / "sunk_jobs" / "hello.py").exists()
    assert json.loads((folder / "record.json").read_text())["job_id"] is None


@pytest.mark.parametrize("other", ["--dry-run", "--follow"])
def test_prepared_run_is_neither_shown_only_nor_followed(tmp_path, capsys, other):
    words = ["job", "submit", "hello", "--prepare", other, "--run-dir", str(tmp_path)]
    assert app.run(words) == exits.USAGE
    assert capsys.readouterr().err == (
        f"error: prepare a run: {other} is for a run that is not only prepared\n"
    )
    assert not list(tmp_path.iterdir())


def test_refusal_of_slurm_says_what_to_ask_next(monkeypatch, tmp_path, capsys):
    class Refusing:
        def submit(self, script, folder):
            raise Rejected("submit x: not available", system="slurm")

    monkeypatch.setattr(login, "slurm_commands", Refusing)
    assert app.run(["job", "submit", "hello", "--run-dir", str(tmp_path)]) == exits.REMOTE_SYSTEM
    assert capsys.readouterr().err == (
        "error: submit x: not available\n"
        "hint: the same with check in place of submit says what is too much\n"
    )
