from __future__ import annotations

import json
from pathlib import Path

from sunk.cli import app, exits
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
