from __future__ import annotations

from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk.model.profile import TopologyPlugin
from sunk.render.profile import dump_profile
from sunk.wiring import login
from tests.support.job_cases import profile_of


@pytest.fixture
def profile(tmp_path: Path) -> str:
    file = tmp_path / "profile.yaml"
    file.write_text(dump_profile("lab", profile_of(TopologyPlugin.TREE)))
    return str(file)


def test_profile_changes_the_script_and_the_difference_is_shown(profile, tmp_path, capsys):
    words = ["job", "render", "fsdp2", "--set", "nodes=4"]
    assert app.run(words) == exits.OK
    old = tmp_path / "old.sbatch"
    old.write_text(capsys.readouterr().out)
    assert app.run([*words, "--diff", str(old)]) == exits.OK
    assert capsys.readouterr().out == ""
    assert app.run([*words, "--diff", str(old), "--profile", profile]) == exits.FAILED_CHECK
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"--- {old}", "+++ now"]
    assert "+#SBATCH --switches=2@5" in lines
    assert "+#SBATCH --cpus-per-task=96" in lines


def test_what_the_cluster_does_not_allow_is_2(profile, capsys):
    words = ["job", "render", "hello", "--set", "nodes=4", "--set", "gpusPerNode=9"]
    assert app.run([*words, "--profile", profile]) == exits.USAGE
    assert "gpusPerNode: 9: at most 8" in capsys.readouterr().err


def test_files_beside_the_script_are_named(capsys):
    assert app.run(["job", "render", "array-sweep"]) == exits.OK
    assert "settings.json" in capsys.readouterr().err


def test_profile_of_another_cluster_is_not_submitted_to(profile, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(login, "cluster_name", lambda: "other")
    words = ["job", "submit", "hello", "--profile", profile, "--run-dir", str(tmp_path / "runs")]
    assert app.run(words) == exits.USAGE
    assert "the profile is of cluster lab" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_list_says_on_what_each_template_was_run(capsys):
    assert app.run(["job", "template", "list"]) == exits.OK
    said = capsys.readouterr()
    assert "real Slurm, a recording stub for the application" in " ".join(said.out.split())
    assert said.err == "containers (pyxis, apptainer): rendered, never run\n"


def test_starter_is_printed(capsys):
    assert app.run(["job", "template", "new", "hello"]) == exits.OK
    assert 'message: "hello"' in capsys.readouterr().out
