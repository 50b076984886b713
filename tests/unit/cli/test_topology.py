from __future__ import annotations

import json
from pathlib import Path

import pytest

from sunk.cli import app, exits
from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm.cli_texts import SlurmTexts
from sunk.errors import Unreachable
from sunk.render.topology import read_topology
from sunk.wiring import login
from sunk_jobs.placement.rank_map import load_map
from tests.support.golden import check_golden
from tests.support.topologies import EVERYTHING

PRINTED = (
    "SwitchName=s1 Level=0 LinkSpeed=1 Nodes=n[1-2]\n"
    "SwitchName=s2 Level=0 LinkSpeed=1 Nodes=n[3,10]\n"
    "SwitchName=root Level=1 LinkSpeed=1 Nodes=n[1-3,10] Switches=s[1-2]\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "topology.yaml"
    path.write_text(EVERYTHING)
    return path


def test_tree_for_people_is_the_golden_one(file, capsys):
    assert app.run(["topology", "show", str(file)]) == exits.OK
    out, err = capsys.readouterr()
    assert err == ""
    check_golden("topology/show.txt", out)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_data_of_show_is_the_file_again(file, form, capsys):
    assert app.run(["topology", "show", str(file), "--output", form]) == exits.OK
    text = capsys.readouterr().out
    assert read_topology(text, source="out") == read_topology(EVERYTHING, source="in")


def test_rendered_form_is_that_of_slurm(file, capsys):
    assert app.run(["topology", "render", str(file), "--form", "block"]) == exits.OK
    check_golden("topology/slurm-block.conf", capsys.readouterr().out)


def test_topology_that_will_do_validates_with_0_and_one_that_will_not_with_1(file, capsys):
    assert app.run(["topology", "validate", str(file), "-o", "json"]) == exits.OK
    assert {one["verdict"] for one in json.loads(capsys.readouterr().out)} == {"PASS"}
    file.write_text(EVERYTHING.replace("blockSizes: [4, 8]", "blockSizes: [4, 12]"))
    assert app.run(["topology", "validate", str(file)]) == exits.FAILED_CHECK


def test_file_that_is_no_topology_is_a_usage_error(file, capsys):
    file.write_text("kind: Topology")
    assert app.run(["topology", "show", str(file)]) == exits.USAGE
    assert f"read {file}, apiVersion: nothing is not allowed" in capsys.readouterr().err


def test_saved_text_of_slurm_is_imported(tmp_path, capsys):
    saved = tmp_path / "topology.txt"
    saved.write_text(PRINTED)
    assert app.run(["topology", "import", str(saved), "--name", "alpha"]) == exits.OK
    topology = read_topology(capsys.readouterr().out, source="out")
    assert [one.slurm_name for one in topology.nodes] == ["n1", "n2", "n3", "n10"]
    assert [(one.source, one.when) for one in topology.provenance] == [(str(saved), None)]


def commands(status: int, stdout: str, stderr: str, asked: list) -> SlurmTexts:
    def runner(argv, *, timeout_seconds, input_text=""):
        asked.append(list(argv))
        return Executed(status=status, stdout=stdout, stderr=stderr)

    return SlurmTexts(runner)


def test_slurm_is_asked_without_a_file_and_nothing_of_our_environment_reaches_it(
    capsys, monkeypatch
):
    asked: list[list[str]] = []
    monkeypatch.setattr(login, "slurm_texts", lambda: commands(0, PRINTED, "", asked))
    monkeypatch.setenv("SLURM_TOPO_LEN", "10")
    assert app.run(["topology", "import", "--output", "json"]) == exits.OK
    found = json.loads(capsys.readouterr().out)
    assert found["spec"]["provenance"][0]["source"] == "scontrol show topology"
    assert asked[0][:3] == ["env", "-i", "--"]
    assert asked[0][-3:] == ["scontrol", "show", "topology"]
    assert not [word for word in asked[0] if word.startswith("SLURM_")]


def test_slurm_that_does_not_answer_is_said():
    said = "slurm_load_topo: Unable to contact slurm controller (connect failure)"
    with pytest.raises(Unreachable, match="read the topology: "):
        commands(1, "", said, []).topology()


EXPLAIN = ("topology", "explain")
NAMES = "w-[0-7]"
TEXT_ORDER = "w-[0,4,1,5,2,6,3,7]"


def test_report_says_how_often_each_order_leaves_its_places(file, capsys):
    words = (*EXPLAIN, str(file), "--nodes", f"x-1,{NAMES}", "--realised", f"{TEXT_ORDER},x-1")
    assert app.run(list(words)) == exits.OK
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["LEVEL", "PLACES", "PLANNED", "REALISED", "WORST"],
        ["nvlink", "3", "3", "(1)", "9", "(4)", "9", "(4)"],
        ["tier", "0", "3", "3", "(1)", "9", "(4)", "9", "(4)"],
        ["tier", "1", "2", "2", "(1)", "2", "(1)", "2", "(1)"],
    ]
    assert "order: w-[0-7],x-1\n" in err
    assert "factor on the network's time: planned 1.00, realised 2.00" in err
    assert "not in the topology, so ranked last: x-1" in err


def test_hostfile_and_map_are_what_srun_and_launchers_take(file, capsys):
    words = [*EXPLAIN, str(file), "--nodes", "w-[4,0]", "--ranks-per-node", "2"]
    assert app.run([*words, "--print", "hostfile"]) == exits.OK
    assert capsys.readouterr().out.split() == ["w-0", "w-0", "w-4", "w-4"]
    assert app.run([*words, "--print", "map"]) == exits.OK
    assert load_map(capsys.readouterr().out).order() == ["w-0", "w-4"]


def test_data_of_the_report_has_order_crossings_and_factors(file, capsys):
    assert app.run([*EXPLAIN, str(file), "--nodes", NAMES, "-o", "json"]) == exits.OK
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"ranks", "crossings", "factor", "all_reduce"}
    assert found["factor"] == {"planned": 1.0}
    assert set(found["all_reduce"]["planned"]["times"]) == {"ring", "hierarchical", "sharp"}


def test_expected_times_are_said_with_and_without_sharp(file, capsys):
    words = [*EXPLAIN, str(file), "--nodes", NAMES, "--ranks-per-node", "8", "--size-gib", "4"]
    assert app.run([*words, "--realised", TEXT_ORDER]) == exits.OK
    lines = [line for line in capsys.readouterr().err.splitlines() if "all-reduce" in line]
    assert [line.partition(":")[0] for line in lines] == [
        "all-reduce of 4 GiB, planned",
        "all-reduce of 4 GiB, realised",
    ]
    assert all("ring" in line and "sharp" in line for line in lines)


def test_topology_without_rates_says_what_it_lacks(file, capsys):
    file.write_text(EVERYTHING.replace(", rateGbitPerS: 400", ""))
    assert app.run([*EXPLAIN, str(file), "--nodes", NAMES]) == exits.OK
    assert "not known, as the topology lacks count and rate" in capsys.readouterr().err


def test_other_nodes_than_the_jobs_are_a_usage_error(file, capsys):
    words = [*EXPLAIN, str(file), "--nodes", "w-0", "--realised", "w-1"]
    assert app.run(words) == exits.USAGE
    assert "it has not the same nodes, each once; only one has w-0" in capsys.readouterr().err
