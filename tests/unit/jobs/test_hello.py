"""What ranks say of themselves, and what is wrong or different between their nodes."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace

import pytest

from sunk_jobs import hello
from sunk_jobs.hello import Greeting, differences, faults, judge, line_of

ONE = Greeting(
    rank=0,
    local_rank=0,
    node="w-1",
    host="pod-1",
    switches="spine.leaf1.w-1",
    kernel="6.1",
    driver="580.1",
    cpus=4,
    cpus_asked=4,
    cpus_given=4,
    cpu_quota=-1,
    gpus=("GPU-a", "GPU-b"),
    mtu={"eth0": 1500, "net1": 9000},
    rdma={"mlx5_0/1": "ACTIVE 400"},
    limits={"memlock_bytes": -1},
    clock_skew_s=0.1,
)


def on(at: int, **changes: object) -> Greeting:
    """Return what the rank of another node says."""
    there = replace(ONE, rank=at, node=f"w-{at + 1}", host=f"pod-{at + 1}", gpus=("GPU-c", "GPU-d"))
    return replace(there, **changes)


ALIKE = [ONE, on(1), on(2)]
NODES = ["w-1", "w-2", "w-3"]


def test_nodes_that_are_alike_do_not_differ_and_nothing_is_wrong():
    assert judge(ALIKE, NODES, 1) == {
        "schema": "sunk.dev/hello/v1",
        "verdict": "well",
        "ranks": 3,
        "nodes": 3,
        "faults": [],
        "differences": [],
        "unbound": "",
    }


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kernel": "6.2"}, "kernel: w-3 6.2, elsewhere 6.1"),
        ({"driver": "590.1"}, "driver: w-3 590.1, elsewhere 580.1"),
        ({"driver": "absent"}, "driver: w-3 absent, elsewhere 580.1"),
        ({"cpus": 8}, "cpus: w-3 8, elsewhere 4"),
        ({"cpu_quota": 8.0}, "cpu quota: w-3 8.0, elsewhere -1"),
        ({"gpus": ("GPU-e",)}, "gpus: w-3 1, elsewhere 2"),
        ({"rdma": {}}, "rdma port mlx5_0/1: w-3 none, elsewhere ACTIVE 400"),
        ({"limits": {"memlock_bytes": 65536}}, "limit of memlock_bytes: w-3 65536, elsewhere -1"),
    ],
)
def test_a_node_that_differs_is_named_and_is_not_wrong_for_that(changes, line):
    said = [ONE, on(1), on(2, **changes)]
    record = judge(said, NODES, 1)
    assert (record["verdict"], record["differences"]) == ("well", [line])


@pytest.mark.parametrize("changes", [{"driver": "unknown"}, {"gpus": None}, {"clock_skew_s": None}])
def test_what_a_node_could_not_find_out_is_no_difference(changes):
    record = judge([ONE, on(1), on(2, **changes)], NODES, 1)
    assert (record["faults"], record["differences"]) == ([], [])


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ([ONE, on(1)], ["w-3: 0 ranks, not 1"]),
        ([ONE, on(1), on(2, node="w-2")], ["w-2: 2 ranks, not 1", "w-3: 0 ranks, not 1"]),
        ([ONE, on(1), on(2, cpus=2)], ["w-3: rank 2: 2 CPUs, not 4"]),
        (
            [ONE, on(1), on(2, cpus_given=4, cpu_quota=1.5)],
            ["w-3: rank 2: a quota of 1.5 CPUs, where Slurm gave 4"],
        ),
        ([ONE, on(1), on(2, clock_skew_s=-1.25)], ["w-3: clock off by -1.250 s, more than 1 s"]),
        ([ONE, on(1), on(2, mtu={"eth0": 1500})], ["mtu of net1: w-3 none, elsewhere 9000"]),
        (
            [ONE, on(1), on(2, mtu={"eth0": 1500, "net1": 1500})],
            ["mtu of net1: w-3 1500, elsewhere 9000"],
        ),
    ],
)
def test_what_would_stop_a_larger_job_is_wrong(said, wrong):
    assert faults(said, NODES, 1) == wrong
    assert judge(said, NODES, 1)["verdict"] == "wrong"


def test_nodes_where_nothing_keeps_ranks_on_what_slurm_gave_are_named_and_not_wrong():
    said = [ONE, *(on(at, cpus=96, cpus_given=4) for at in (1, 2))]
    record = judge(said, NODES, 1)
    assert (record["verdict"], record["unbound"]) == ("well", "w-[2-3]")
    assert judge([on(0, cpus=96, cpus_given=None)], ["w-1"], 1)["unbound"] == ""


def test_nodes_that_differ_are_a_hostlist_in_the_order_of_their_numbers():
    said = [on(at) for at in range(9)] + [on(at, kernel="6.2") for at in range(9, 12)]
    assert differences(said) == ["kernel: w-[10-12] 6.2, elsewhere 6.1"]


def test_a_hundred_thousand_ranks_are_judged_in_seconds():
    said = [on(at, kernel="6.2" if at % 2 else "6.1") for at in range(100_000)]
    start = time.process_time()
    record = judge(said, [one.node for one in said], 1)
    assert time.process_time() - start < 20
    assert (record["verdict"], len(record["differences"])) == ("well", 1)


def test_of_two_nodes_the_second_is_the_one_that_differs():
    assert differences([ONE, on(1, kernel="6.2")]) == ["kernel: w-2 6.2, elsewhere 6.1"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {},
            "hi from rank 0 of 3 on pod-1: node w-1, 4 CPUs, 2 GPUs, network eth0 1500, net1 9000, "
            "RDMA mlx5_0/1",
        ),
        (
            {"cpus": 96, "cpu_quota": 8.0},
            "hi from rank 0 of 3 on pod-1: node w-1, 96 CPUs (Slurm gave 4, quota 8), 2 GPUs, "
            "network eth0 1500, net1 9000, RDMA mlx5_0/1",
        ),
        (
            {"cpus_given": None, "cpu_quota": None, "gpus": None, "mtu": {}, "rdma": {}},
            "hi from rank 0 of 3 on pod-1: node w-1, 4 CPUs, GPUs unknown, network none",
        ),
    ],
)
def test_a_rank_says_in_one_line_where_it_is(changes, line):
    assert line_of(replace(ONE, **changes), "hi", "3") == line


def written(folder, said) -> None:
    folder.mkdir()
    for one in said:
        (folder / f"{one.rank}.json").write_text(json.dumps(asdict(one)))


def judged(folder, *words):
    return hello.main(["judge", "--folder", str(folder), "--ranks-per-node", "1", *words])


def test_words_of_ranks_are_read_in_their_order_and_judged(tmp_path, capsys):
    said = [on(at) for at in range(11)]
    written(tmp_path / "a", said)
    assert hello.read(tmp_path / "a") == said
    assert judged(tmp_path / "a", "--nodes", "w-[1-11]") == 0
    assert json.loads(capsys.readouterr().out)["ranks"] == 11


def test_damaged_words_are_a_missing_rank(tmp_path, capsys):
    written(tmp_path / "a", ALIKE)
    (tmp_path / "a" / "1.json").write_text('{"rank": 1}')
    assert judged(tmp_path / "a", "--nodes", "w-[1-3]") == 1
    found = capsys.readouterr()
    assert json.loads(found.out)["faults"] == ["w-2: 0 ranks, not 1"]
    assert found.err == f"hello: read {tmp_path / 'a' / '1.json'}: damaged: KeyError: 'gpus'\n"


@pytest.mark.parametrize(("nodes", "code"), [("w-[1-3]", 95), ("w-[1", 2)])
def test_without_words_or_with_a_wrong_hostlist_nothing_is_promised(tmp_path, capsys, nodes, code):
    assert judged(tmp_path, "--nodes", nodes) == code
    assert capsys.readouterr().err.startswith("hello: ")


def test_a_rank_says_and_writes_what_it_is(tmp_path, capsys):
    slurm = {"SLURM_PROCID": "1", "SLURM_LOCALID": "0", "SLURM_NTASKS": "2", "SLURMD_NODENAME": "w"}
    words = ["say", "--folder", str(tmp_path / "a"), "--message=--x"]
    assert hello.main(words, slurm) == 0
    assert capsys.readouterr().out.startswith("--x from rank 1 of 2 on ")
    (found,) = hello.read(tmp_path / "a")
    assert (found.rank, found.node, set(found.limits)) == (1, "w", set(hello.LIMITS))


def test_outside_a_step_nothing_is_said(tmp_path, capsys):
    assert hello.main(["say", "--folder", str(tmp_path)], {}) == 2
    assert "run it under srun" in capsys.readouterr().err
