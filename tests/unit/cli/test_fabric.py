from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from sunk.cli import app as app_module
from sunk.cli import exits
from tests.support.forwarding import dump, lids_of, shortest
from tests.support.simulated_fabric import Place, eight_rail


@pytest.fixture
def scan(tmp_path):
    """The file of a healthy scan."""
    file = tmp_path / "ibnetdiscover.txt"
    file.write_bytes(eight_rail().text())
    return file


@pytest.fixture
def broken(tmp_path):
    """The file of a scan with two cables swapped."""
    fabric = eight_rail()
    fabric.swap(Place("gpu0003 mlx5_2", 1), Place("gpu0003 mlx5_5", 1))
    folder = tmp_path / "broken"
    folder.mkdir()
    file = folder / "ibnetdiscover.txt"
    file.write_bytes(fabric.text())
    return file


def run(*words):
    return app_module.run(["fabric", *map(str, words)])


def test_healthy_topology_is_a_tree_and_exit_code_0(scan, capsys):
    assert run("topology", scan) == exits.OK
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "16 hosts, 128 adapters, 20 switches, 256 cables"
    assert "su1-leaf7 (mlx5_7): gpu[0008-0015], 1.00 to 1" in out
    assert err == ""


def test_broken_topology_names_the_swap_and_fails(broken, capsys):
    assert run("topology", broken) == exits.FAILED_CHECK
    out, _ = capsys.readouterr()
    assert "swap the cables of gpu0003 mlx5_2 and gpu0003 mlx5_5" in out


def test_topology_as_json_has_figures_and_defects(broken, capsys):
    assert run("topology", broken, "--output", "json") == exits.FAILED_CHECK
    document = json.loads(capsys.readouterr().out)
    assert (document["adapters"], document["worst_oversubscription"]) == (128, 1.0)
    assert [one["kind"] for one in document["defects"]] == ["swapped adapters"]
    assert document["flows"]["mlx5_2"]["possible_gbit_per_s"] == 3200.0


def test_plan_and_scan_report_a_swap_once(scan, broken, capsys):
    assert run("topology", broken, "--intended", scan, "--output", "json") == exits.FAILED_CHECK
    document = json.loads(capsys.readouterr().out)
    assert [one["kind"] for one in document["defects"]] == ["swapped links"]


def test_picture_is_written(scan, tmp_path):
    assert run("topology", scan, "--svg", tmp_path / "fabric.svg") == exits.OK
    ElementTree.parse(tmp_path / "fabric.svg")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"", "the output is empty"),
        (b"ibwarn: [1] mad_rpc failed\n", "the tool warned"),
    ],
)
def test_scan_that_is_none_is_a_usage_error(content, message, tmp_path, capsys):
    file = tmp_path / "scan.txt"
    if content is not None:
        file.write_bytes(content)
    assert run("topology", file) == exits.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_truncated_scan_is_refused_and_never_judged(scan, capsys):
    scan.write_bytes(scan.read_bytes()[:5000])
    assert run("topology", scan) == exits.USAGE
    assert "cut off" in capsys.readouterr().err


def test_check_of_what_is_known_and_good_is_exit_code_0(scan, capsys):
    assert run("check", scan.parent, "--only", "ib.topology.rails") == exits.OK
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "\n3 PASS; answered 3 of 3 (100.0 %)\n"


def test_check_shows_every_answer_on_demand(scan, capsys):
    assert run("check", scan.parent, "--only", "ib.topology.rails", "--all") == exits.OK
    assert "2 scalable units" in capsys.readouterr().out


def test_check_of_everything_is_not_known_and_says_what_is_not_judged_yet(scan, capsys):
    assert run("check", scan.parent) == exits.UNKNOWN
    out, err = capsys.readouterr()
    assert "not implemented" not in out
    assert "of the UNKNOWN are checks that this version cannot judge yet" in err


def test_failed_check_is_exit_code_1_and_json_has_it_all(broken, capsys):
    words = ("--only", "ib.topology.rails", "--output", "json")
    assert run("check", broken.parent, *words) == exits.FAILED_CHECK
    document = json.loads(capsys.readouterr().out)
    assert document["coverage"] == {"answered": 3, "applicable": 3}
    assert document["counts"]["FAIL"] == 1
    (failed,) = [one for one in document["findings"] if one["verdict"] == "FAIL"]
    assert (failed["check"], failed["domain"], failed["subject"]) == (
        "ib.topology.rails",
        "fabric",
        "node/gpu0003/mlx5_2",
    )
    assert len(failed["evidence"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "none"), "read the folder none: there is no such folder"),
        (("check", "."), "read the folder .: it is empty"),
        (("catalogue", "show", "ib.nothing"), "ids of that group are ib."),
        (("catalogue", "show", "nothing"), "no group begins so"),
        (("catalogue", "list", "--group", "x"), "groups are accept, app"),
    ],
)
def test_wrong_names_are_usage_errors_that_say_what_there_is(
    words, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == exits.USAGE
    assert message in " ".join(capsys.readouterr().err.split())


def test_catalogue_lists_one_group(capsys):
    assert run("catalogue", "list", "--group", "storage", "--output", "json") == exits.OK
    rows = json.loads(capsys.readouterr().out)
    assert {one["id"].partition(".")[0] for one in rows} == {"storage"}
    judged = {one["id"]: (one["judged"], one["proof"]) for one in rows}
    assert judged.pop("storage.mount") == ("yes", "documented")
    assert judged.pop("storage.bandwidth") == ("yes", "recorded")
    assert judged["storage.metadata"] == ("yes", "documented")


def test_catalogue_says_of_drills_that_no_judge_is_there_and_why(capsys):
    assert run("catalogue", "list", "--group", "accept", "--output", "json") == exits.OK
    rows = json.loads(capsys.readouterr().out)
    assert {one["proof"] for one in rows} == {"-"}
    why = {one["id"]: one["judged"] for one in rows}
    assert why["accept.operator"] == "no: people sign it; no machine tells"
    assert all(one.startswith("no: ") for one in why.values())


def test_catalogue_shows_rule_source_and_proof(capsys):
    assert run("catalogue", "show", "ib.topology.rails", "--output", "json") == exits.OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["proof"], shown["depends_on"]) == (
        "simulated",
        ["ib.guid.unique", "ib.nodedesc.sane"],
    )


def test_without_scipy_the_error_says_what_to_install(scan, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "scipy.sparse", None)
    assert run("topology", scan) == exits.CONFIGURATION
    assert "hint: pip install 'sunk[fabric]'" in capsys.readouterr().err


def dumped(folder, fabric, tables):
    """Write the forwarding tables and return their file."""
    file = folder / "dump_lfts.txt"
    file.write_bytes(dump(fabric, tables))
    return file


def test_routes_are_figures_and_a_lost_way_fails(scan, tmp_path, capsys):
    fabric, tables = eight_rail(), shortest(eight_rail())
    file = dumped(tmp_path, fabric, tables)
    assert run("topology", scan, "--routes", file, "--output", "json") == exits.OK
    found = json.loads(capsys.readouterr().out)["routes"]
    assert found["pairs"] == 128 * 127
    assert found["pairs_by_switches_on_the_way"] == {"1": 128 * 7, "3": 128 * 120}
    assert found["imbalance_by_rail"].keys() == {f"mlx5_{rail}" for rail in range(8)}
    assert (found["not_arriving"], found["in_circles"], found["deadlock"]) == (0, 0, [])
    del tables["su0-leaf0"][lids_of(fabric)["gpu0009 mlx5_3"]]
    file = dumped(tmp_path, fabric, tables)
    assert run("topology", scan, "--routes", file) == exits.FAILED_CHECK
    said = "".join(capsys.readouterr())
    assert "routes: 1 ways end nowhere, such as from su0-leaf0 to gpu0009 mlx5_3" in said


def test_tables_of_another_fabric_are_refused(scan, tmp_path, capsys):
    tables = shortest(eight_rail())
    del tables["spine3"]
    file = dumped(tmp_path, eight_rail(), tables)
    assert run("topology", scan, "--routes", file) == exits.USAGE
    assert "there is no table of 1 switches, such as spine3" in capsys.readouterr().err
