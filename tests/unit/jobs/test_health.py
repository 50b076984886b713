from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from sunk_jobs import health
from sunk_jobs.health import Limits, Report, judge
from sunk_jobs.nodes import verdict

LIMITS = Limits(gpus=8, clock_skew_s=1.0, free_disk_gib=10)
WELL = Report(
    node="w-0",
    kernel="6.1",
    cpus=96,
    cpus_asked=96,
    memlock_bytes=-1,
    clock_skew_s=0.0,
    free_disk_gib=100,
    mtu={"eth0": 9000},
    rdma={"mlx5_0/1": "ACTIVE 400"},
    gpus=8,
)
NODES = tuple(f"w-{number}" for number in range(4))


def judged(**changes) -> dict:
    reports = [replace(WELL, node=node) for node in NODES[:3]]
    return judge([*reports, replace(WELL, node="w-3", **changes)], NODES, LIMITS)


def test_nodes_that_are_alike_and_have_what_was_asked_for_are_well():
    record = judged()
    assert (record["verdict"], record["faults"], record["exclude"]) == ("well", {}, "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gpu_faults": ("x",)}, "GPU: x"),
        ({"gpus": 7}, "7 GPUs, not 8"),
        ({"cpus": 4}, "4 CPUs, not 96"),
        ({"cpu_quota": 12.5}, "a quota of 12.5 CPUs, where Slurm gave 96"),
        ({"clock_skew_s": -1.5}, "clock off by -1.500 s, more than 1 s"),
        ({"free_disk_gib": 3}, "3 GiB free in /tmp, not 10"),
        ({"mtu": {"eth0": 1500}}, 'mtu {"eth0": 1500}, where most nodes have {"eth0": 9000}'),
        ({"rdma": {}}, 'rdma {}, where most nodes have {"mlx5_0/1": "ACTIVE 400"}'),
        ({"memlock_bytes": 65536}, "memlock_bytes 65536, where most nodes have -1"),
        ({"kernel": "5.4"}, 'kernel "5.4", where most nodes have "6.1"'),
    ],
)
def test_node_that_is_not_well_is_named_with_what_it_has(changes, said):
    record = judged(**changes)
    assert record["exclude"] == "w-3"
    assert said in record["faults"]["w-3"]


def test_what_a_node_could_not_find_out_is_not_held_against_it():
    record = judged(clock_skew_s=None, free_disk_gib=None, cpus_asked=None)
    assert record["verdict"] == "well"


def test_node_without_a_report_is_not_well():
    record = judge([replace(WELL, node="w-1")], ("w-0", "w-1"), LIMITS)
    assert record["faults"] == {"w-0": ["no report"]}


def test_without_a_majority_nobody_is_blamed():
    two = [replace(WELL, node="w-0"), replace(WELL, node="w-1", kernel="5.4")]
    assert judge(two, ("w-0", "w-1"), LIMITS)["verdict"] == "well"


def test_a_hundred_thousand_reports_are_judged_in_seconds():
    reports = [replace(WELL, node=f"w{at}") for at in range(100_000)]
    start = time.process_time()
    record = judge(reports, [one.node for one in reports], LIMITS)
    assert time.process_time() - start < 20
    assert (record["verdict"], record["nodes"]) == ("well", 100_000)


def test_programs_report_and_judge_through_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "w-7")
    folder = str(tmp_path / "health")
    assert health.main(["judge", "--folder", folder, "--nodes", "w-7"]) == verdict.UNKNOWN
    assert health.main(["report", "--folder", folder]) == 0
    (tmp_path / "health" / "torn.json").write_text("{")
    words = ["judge", "--folder", folder, "--free-disk-gib", "0", "--nodes"]
    assert health.main([*words, "w-7"]) == 0
    assert health.main([*words, "w-[7-8]"]) == 1
    *_, record = capsys.readouterr().out.splitlines()
    assert json.loads(record)["exclude"] == "w-8"
    assert health.main([*words, "w-["]) == verdict.USAGE
