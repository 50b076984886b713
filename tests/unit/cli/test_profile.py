from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk.toolkit import node_probe
from sunk.wiring import login
from tests.support.recorded_texts import recorded

SAVED = {"config": "configuration", "partitions": "partitions", "nodes": "nodes"}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    for file, name in SAVED.items():
        (tmp_path / f"{file}.txt").write_text(recorded(name))
    return tmp_path


class Texts:
    """A Slurm that says what the recorded one said."""

    def __getattr__(self, name):
        return lambda: recorded(name)


def test_profile_is_detected_from_slurm_and_from_saved_texts_alike(saved, capsys, monkeypatch):
    monkeypatch.setattr(login, "slurm_texts", Texts)
    (saved / "topology.txt").write_text(recorded("topology"))
    assert app.run(["profile", "detect"]) == exits.OK
    asked = capsys.readouterr().out
    assert app.run(["profile", "detect", "--from", str(saved)]) == exits.OK
    assert capsys.readouterr().out == asked


def test_detected_profile_is_shown_and_what_is_unknown_said(saved, capsys):
    app.run(["profile", "detect", "--from", str(saved), "--name", "alpha"])
    file = saved / "profile.yaml"
    file.write_text(capsys.readouterr().out)
    assert app.run(["profile", "show", str(file)]) == exits.OK
    out, err = capsys.readouterr()
    assert out.split("\n")[2].split()[:5] == ["main", "UP", "yes", "4", "-"]
    assert "prices: the site" in err
    assert app.run(["profile", "show", str(file), "-o", "json"]) == exits.OK
    assert json.loads(capsys.readouterr().out)["metadata"] == {"name": "alpha"}


def test_profile_with_unknown_parts_validates_with_5_and_a_whole_one_with_0(saved, capsys):
    app.run(["profile", "detect", "--from", str(saved), "--output", "json"])
    profile = json.loads(capsys.readouterr().out)
    file = saved / "profile.json"
    file.write_text(json.dumps(profile))
    assert app.run(["profile", "validate", str(file)]) == exits.UNKNOWN
    del profile["spec"]["unknown"]
    file.write_text(json.dumps(profile))
    assert app.run(["profile", "validate", str(file)]) == exits.OK
    file.write_text("{}")
    assert app.run(["profile", "validate", str(file)]) == exits.USAGE


def test_folder_without_what_is_needed_is_a_usage_error(tmp_path, capsys):
    assert app.run(["profile", "detect", "--from", str(tmp_path / "none")]) == exits.USAGE
    assert app.run(["profile", "detect", "--from", str(tmp_path)]) == exits.USAGE
    assert "config.txt: No such file" in capsys.readouterr().err


FACTS = {
    **{"schema": "sunk.dev/node_facts/v1", "node": "w-0", "cpus": 2, "gpus": 8},
    **{"fabric": "infiniband", "adapters": ["mlx5_0", "mlx5_1"], "rates_gbps": [400.0, 400.0]},
    **{"containers": ["pyxis"], "warnings": ["memory cannot be locked"]},
}


def test_probe_fills_in_what_a_node_has_and_says_whose_word_it_is(capsys, monkeypatch):
    monkeypatch.setattr(login, "slurm_texts", Texts)
    monkeypatch.setattr(node_probe, "probe", lambda *_words: FACTS)
    assert app.run(["profile", "detect", "--probe", "--output", "json"]) == exits.OK
    said = capsys.readouterr()
    spec = json.loads(said.out)["spec"]
    assert spec["containers"] == ["pyxis"]
    assert spec["fabric"] | {"leafNodes": 0} == {
        "kind": "infiniband",
        "adapters": ["mlx5_0", "mlx5_1"],
        "networkGbPerS": 12.5,
        "leafNodes": 0,
    }
    assert not {"containers", "fabric.kind", "fabric.adapters"} & set(spec["unknown"])
    assert {"fabric.sharp", "modules", "mounts", "prices"} <= set(spec["unknown"])
    assert said.err.splitlines() == [
        "w-0: 2 CPUs, 8 GPUs, infiniband, pyxis; taken for all nodes",
        "w-0: memory cannot be locked",
    ]


def test_node_that_has_less_than_slurm_gives_out_is_named(capsys, monkeypatch):
    monkeypatch.setattr(login, "slurm_texts", Texts)
    less = FACTS | {"cpus": 1, "gpus": 0, "warnings": [], "node": "w1"}
    monkeypatch.setattr(node_probe, "probe", lambda *_words: less)
    assert app.run(["profile", "detect", "--probe"]) == exits.OK
    said = capsys.readouterr()
    assert "w1: it has 1 CPUs, and Slurm gives out 4" in said.err.splitlines()
    assert "fabric.networkGbPerS: 'a job on a node" in said.out


def test_profile_is_detected_without_a_job_unless_one_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(login, "slurm_texts", Texts)
    monkeypatch.setattr(login, "slurm_commands", pytest.fail)
    assert app.run(["profile", "detect"]) == exits.OK


def test_saved_texts_and_a_probe_are_one_too_many(saved, capsys):
    assert app.run(["profile", "detect", "--from", str(saved), "--probe"]) == exits.USAGE
    assert "give one of them" in capsys.readouterr().err
