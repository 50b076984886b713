"""``sunk fabric test`` before it starts: what it states, and what it refuses."""

from __future__ import annotations

import json

import pytest

from sunk.cli import app as app_module
from sunk.cli import exits
from sunk.model.profile import ClusterProfile, NodeKind, Price, ProfilePartition
from sunk.render.profile import dump_profile
from sunk.render.topology import dump_topology
from sunk.wiring import fabric as wiring
from sunk_fabric.active.sharp_session import Compared
from tests.support.active_world import two_level
from tests.support.sharp_runs import table, with_sharp, without_sharp


def run(*words):
    return app_module.run(["fabric", "test", *map(str, words)])


@pytest.fixture
def profile(tmp_path):
    file = tmp_path / "profile.yaml"
    gpu = ProfilePartition(name="gpu", nodes=(NodeKind(count=16, cpus=8, memory_mib=1000),))
    price = Price(partition="gpu", per_node_hour=20.0, currency="EUR")
    made = ClusterProfile(cluster="hall", partitions=(gpu,), prices=(price,))
    file.write_text(dump_profile("hall", made))
    return file


def test_dry_run_states_cost_power_and_coverage_and_touches_nothing(tmp_path, profile, capsys):
    topology = tmp_path / "hall.yaml"
    topology.write_text(dump_topology(two_level(4, 4)))
    words = ("--topology", topology, "--profile", profile, "--partition", "gpu", "--dry-run")
    code = run("h[0-15]", *words, "--folder", tmp_path / "found", "-o", "json")
    stated = json.loads(capsys.readouterr().out)
    assert code == exits.OK
    assert (stated["rounds"], stated["currency"]) == (30, "EUR")
    assert stated["cost_at_most"] == pytest.approx(16 * 38 * 10 / 3600 * 20, rel=0.01)
    assert stated["coverage"]["leaves"] == 4
    assert stated["power"]["slow_host"] > 0.99
    assert not (tmp_path / "found").exists()


def test_partition_without_a_price_is_refused_with_those_that_have_one(profile, capsys):
    assert run("h[0-3]", "--profile", profile, "-p", "cpu", "--dry-run") == exits.USAGE
    assert "prices are known of gpu" in capsys.readouterr().err


def test_folder_that_exists_is_refused_before_anything_starts(tmp_path, capsys):
    words = ("--run", "false {host} {command}", "--folder", tmp_path, "--yes")
    assert run("h[0-3]", *words) == exits.USAGE
    assert "it exists" in capsys.readouterr().err


def test_command_that_runs_nothing_is_unknown_and_never_good(tmp_path, capsys):
    words = ("--run", "false {host} {command}", "--folder", tmp_path / "found", "--yes")
    code = run("h[0-1]", *words, "--max-minutes", "2", "--connect-seconds", "0.5", "-o", "json")
    document = json.loads(capsys.readouterr().out)
    verdicts = {one["check"]: one["verdict"] for one in document["findings"]}
    assert code == exits.UNKNOWN
    assert {verdicts[one] for one in ("pair.whole", "pair.reach", "pair.cleanup")} == {"UNKNOWN"}
    assert "FAIL" not in verdicts.values()


@pytest.mark.parametrize("tool", ["mpi4py", "torch"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--run", "ssh {host} {shell}"), "it is one job on two hosts, which Slurm starts"),
        (("--rail", "mlx5_0"), "on mlx5_0: its library chooses the adapter"),
    ],
)
def test_one_job_on_two_hosts_is_for_slurm_and_has_no_rail(tmp_path, capsys, tool, words, why):
    folder = tmp_path / "found"
    assert run("h[0-3]", *words, "--tool", tool, "--folder", folder, "--yes") == exits.USAGE
    assert why in capsys.readouterr().err
    assert not folder.exists()


def test_dry_run_of_sharp_states_its_runs_and_cost_and_touches_nothing(tmp_path, profile, capsys):
    site = tmp_path / "site.yaml"
    site.write_text("gpus_per_host: 4\n")
    words = ("--sharp", "all_reduce_perf", "--profile", profile, "-p", "gpu", "--expect", site)
    code = run("h[0-3]", *words, "--dry-run", "--folder", tmp_path / "found", "-o", "json")
    stated = json.loads(capsys.readouterr().out)
    assert code == exits.OK
    assert [one["name"] for one in stated["runs"]] == [
        *("sharp-on", "sharp-off", "sharp-off-2", "sharp-on-2")
    ]
    assert stated["runs"][0]["command"].endswith("-g 4")
    assert (stated["cost_at_most"], stated["currency"]) == (pytest.approx(13.33), "EUR")
    assert not (tmp_path / "found").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("h[0-3]", "--run", "ssh {host} {shell}"), "which Slurm starts"),
        (("h0",), "fewer than two"),
    ],
)
def test_sharp_is_one_job_of_slurm_on_several_hosts(tmp_path, capsys, words, why):
    folder = tmp_path / "found"
    assert run(*words, "--sharp", "torch", "--folder", folder, "--yes") == exits.USAGE
    assert why in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize(
    ("on", "code", "verdict"),
    [(200.0, exits.OK, "PASS"), (50.0, exits.OK, "WARN"), (None, exits.UNKNOWN, "UNKNOWN")],
)
def test_code_of_a_comparison_is_the_gain_s(tmp_path, monkeypatch, capsys, on, code, verdict):
    def compare(made, reach, python, folder, say):
        texts = {"nccl_tests.sharp-off": table(100.0), "nccl_log.sharp-off": without_sharp()}
        if on is not None:
            texts |= {"nccl_tests.sharp-on": table(on), "nccl_log.sharp-on": with_sharp()}
        folder.mkdir()
        for name, text in texts.items():
            (folder / f"{name}.txt").write_text(text)
        return Compared(kept=(), cleanup=(), interrupted=False)

    monkeypatch.setattr(wiring, "compare", compare)
    words = ("--sharp", "all_reduce_perf", "--folder", tmp_path / "found", "--yes", "-o", "json")
    assert run("h[0-1]", *words) == code
    (one,) = json.loads(capsys.readouterr().out)["findings"]
    assert (one["check"], one["verdict"]) == ("sharp.nccl.gain", verdict)
