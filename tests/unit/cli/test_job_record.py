from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from sunk.cli import app, exits
from sunk.toolkit.job_file import read_job
from sunk.toolkit.origin import origin_of
from sunk.toolkit.run_difference import differences
from sunk.toolkit.runs import make_run
from sunk.toolkit.script import render_job

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run(root: Path, *assign: str, **variables: str) -> str:
    made = read_job("hello", assign)
    origin = origin_of(root, variables)
    return str(make_run(root, *made, render_job(*made), NOW, origin).folder)


def said(capsys, *words: str):
    code = app.run(["job", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_record_says_what_a_run_was_made_from_and_no_secret(tmp_path, capsys):
    folder = run(tmp_path, "nodes=2", NCCL_DEBUG="INFO", HOME="/x", TORCH_API_KEY="abc")
    code, out, _ = said(capsys, "record", folder, "--output", "json")
    found = json.loads(out)
    assert code == exits.OK
    assert found["parameters"]["nodes"] == 2
    assert found["origin"]["environment"] == {"NCCL_DEBUG": "INFO", "TORCH_API_KEY": "(masked)"}
    assert found["origin"]["git"] is None


def test_commit_and_changes_beside_it_are_in_the_record(tmp_path):
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "train.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "x")
    clean = origin_of(tmp_path, {})["git"]
    assert (len(clean["commit"]), clean["changes_sha256"]) == (40, None)
    (tmp_path / "train.py").write_text("2")
    dirty = origin_of(tmp_path, {})["git"]
    assert (dirty["commit"], len(dirty["changes_sha256"])) == (clean["commit"], 64)
    (tmp_path / "train.py").write_text("3")
    assert origin_of(tmp_path, {})["git"]["changes_sha256"] != dirty["changes_sha256"]


def test_runs_of_the_same_do_not_differ(tmp_path, capsys):
    code, _, err = said(capsys, "diff", run(tmp_path), run(tmp_path))
    assert (code, err) == (exits.OK, "no difference\n")


def test_what_decides_the_job_is_named_before_what_follows_from_it(tmp_path, capsys):
    first = run(tmp_path, NCCL_ALGO="Ring")
    second = run(tmp_path, "nodes=2", NCCL_ALGO="Tree")
    code, out, err = said(capsys, "diff", first, second, "--output", "json")
    assert (code, err) == (exits.FAILED_CHECK, "")
    assert [one["key"] for one in json.loads(out)] == [
        "parameters.nodes",
        "origin.environment.NCCL_ALGO",
        "script_sha256",
    ]
    assert said(capsys, "diff", first, second)[2] == "first difference: parameters.nodes\n"


def test_records_of_older_versions_are_compared_by_what_they_have():
    found = differences({"template": "hello"}, {"template": "hello", "origin": {"git": None}})
    assert [(one.key, one.first, one.second) for one in found] == [("origin.git", "(absent)", None)]


def test_replay_gives_the_same_script_and_says_so(tmp_path, capsys):
    folder = run(tmp_path, "nodes=2")
    code, out, err = said(capsys, "replay", folder)
    assert (code, err) == (exits.OK, "the same script\n")
    assert out == (Path(folder) / "job.sbatch").read_text()


def test_replay_shows_how_the_script_differs_now(tmp_path, capsys):
    folder = run(tmp_path)
    script = Path(folder) / "job.sbatch"
    script.write_text(script.read_text() + "echo by hand\n")
    code, _, err = said(capsys, "replay", folder)
    assert code == exits.FAILED_CHECK
    assert "-echo by hand" in err


def test_run_without_a_record_is_said(tmp_path, capsys):
    code, _, err = said(capsys, "record", str(tmp_path))
    assert code == exits.USAGE
    assert "there is none that can be read" in err
