from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
from tests.support.topologies import EVERYTHING

MODEL = """\
apiVersion: sunk.dev/v1alpha1
kind: Model
metadata: {name: small}
spec: {layers: 4, hidden: 1024, heads: 16, vocabulary: 32000, sequence: 2048, globalBatch: 64}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(MODEL)
    return path


def asked(capsys, *words: str) -> dict:
    assert app.run(["job", "layout", *words, "--output", "json"]) == exits.OK
    return json.loads(capsys.readouterr().out)


def test_layouts_come_fastest_first_and_as_many_as_asked_for(file, capsys):
    found = asked(capsys, str(file), "--nodes", "2", "--top", "3")["ranked"]
    seconds = [one["step_seconds"] for one in found]
    assert len(found) == 3
    assert seconds == sorted(seconds)
    assert set(found[0]["layout"]) == {"tensor", "context", "expert", "pipeline", "data"}


def test_table_says_how_many_layouts_each_rule_costs(file, capsys):
    assert app.run(["job", "layout", str(file), "--nodes", "2"]) == exits.OK
    out, err = capsys.readouterr()
    assert out.startswith("LAYOUT")
    assert "layouts are possible" in err
    assert "PP divides the layers (TP1 CP1 EP1 PP8 DP2: 4 layers)" in err


def test_model_that_fits_nowhere_is_exit_code_1(file, capsys):
    words = ["job", "layout", str(file), "--nodes", "1", "--gpu-memory-gib", "0.1"]
    assert app.run(words) == exits.FAILED_CHECK
    assert capsys.readouterr().out == ""


def test_oversubscribed_leaves_of_the_jobs_nodes_slow_it_down(file, tmp_path, capsys):
    network = tmp_path / "topology.yaml"
    network.write_text(
        EVERYTHING.replace(
            'upper: "spine-[1-2]", count: 1, rateGbitPerS: 400',
            'upper: "spine-[1-2]", count: 1, rateGbitPerS: 1',
        )
    )
    words = (str(file), "--nodes", "2", "--network-gb-per-s", "1")
    plain = asked(capsys, *words)["ranked"][0]
    words += ("--topology", str(network), "--nodelist", "w-[0,4]")
    assert asked(capsys, *words)["ranked"][0]["step_seconds"] > plain["step_seconds"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nodelist", "w-0"], "--topology and --nodelist go together"),
        (["--topology", "t.yaml", "--nodelist", "w-0"], "1 nodes, but --nodes is 2"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(file, words, said, capsys):
    assert app.run(["job", "layout", str(file), "--nodes", "2", *words]) == exits.USAGE
    assert said in capsys.readouterr().err


def test_wrong_key_of_the_model_is_named(file, capsys):
    file.write_text(MODEL.replace("layers: 4", "layerz: 4"))
    assert app.run(["job", "layout", str(file), "--nodes", "2"]) == exits.USAGE
    assert "spec.layerz: 4 is not allowed; allowed: no such key" in capsys.readouterr().err
