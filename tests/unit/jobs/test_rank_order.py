"""The program that a job runs: planning, looking up, proving; ranks are threads or processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sunk_jobs import rank_order
from sunk_jobs.placement.rank_map import dump_map, load_map, plan_map
from sunk_jobs.rank_order import DIFFERS, UNKNOWN, USAGE, Here, NotKnown, compare, here, prove

JOBS = Path(rank_order.__file__).parent.parent
TREE = "SwitchName=a Nodes=w-[1,10]\nSwitchName=b Nodes=w-2\nSwitchName=r Switches=a,b\n"
PLANNED = plan_map((), ["w-1", "w-2", "w-10"], 2)
AS_PLANNED = {"w-1": [0, 1], "w-2": [2, 3], "w-10": [4, 5]}


def run(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a node has it: a bare Python, no sunk, a PATH of the test's."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "sunk_jobs.rank_order", *words],
        cwd=folder,
        env={"PYTHONPATH": str(JOBS), "PATH": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_plan_asks_slurm_and_writes_map_and_hostfile(tmp_path):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\n[ -z $SLURM_TOPO_LEN ] && printf '{TREE}'\n")
    scontrol.chmod(0o755)
    done = run(
        *("plan", "--ranks-per-node", "2", "--map", "m.json", "--hostfile", "hosts"),
        folder=tmp_path,
        SLURM_JOB_NODELIST="w-[1-2,9-10]",
        SLURM_TOPO_LEN="5",
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "rank_order: not in the topology, so ranked last: w-9\n"
    assert load_map((tmp_path / "m.json").read_text()).order() == ["w-1", "w-10", "w-2", "w-9"]
    assert (tmp_path / "hosts").read_text().split() == ["w-1"] * 2 + ["w-10"] * 2 + ["w-2"] * 2 + [
        "w-9"
    ] * 2


def test_plan_keeps_the_topology_that_it_is_by(tmp_path):
    (tmp_path / "said").write_text(TREE.replace("\\n", "\n"))
    words = ("--topology", "said", "--keep-topology", "kept", "--nodes", "w-1")
    done = run("plan", "--ranks-per-node", "1", "--map", "m", *words, folder=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "kept").read_bytes() == (tmp_path / "said").read_bytes()


def test_job_of_a_hundred_thousand_nodes_is_planned(tmp_path):
    (tmp_path / "topology").write_text("SwitchName=a Nodes=w-[0-99999]\n")
    words = ("--ranks-per-node", "1", "--map", "m.json", "--topology", "topology")
    done = run("plan", *words, "--nodes", "w-[0-99999]", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert load_map((tmp_path / "m.json").read_text()).size == 100_000


def test_node_finds_itself_among_a_hundred_thousand_that_the_topology_lacks(tmp_path):
    (tmp_path / "topology").write_text("SwitchName=a Nodes=w-0\n")
    words = ("--ranks-per-node", "1", "--map", "m.json", "--topology", "topology")
    done = run("plan", *words, "--nodes", "w-[0-99999]", folder=tmp_path)
    said = "rank_order: not in the topology, so ranked last: w-[1-99999]\n"
    assert (done.returncode, done.stderr) == (0, said)
    # Looked up one by one in a list, this takes longer than the test may.
    done = run("node-rank", "--map", "m.json", folder=tmp_path, SLURMD_NODENAME="w-99999")
    assert (done.returncode, done.stdout) == (0, "99999\n")


@pytest.mark.parametrize(
    ("topology", "nodes", "code", "said"),
    [
        ("SwitchName=a Switches=z\n", "w-1", USAGE, "line 1: there is no switch z"),
        (TREE, "w-[1", USAGE, "the bracket is not closed"),
        (TREE, "", USAGE, "no nodes: give --nodes"),
        (None, "w-1", UNKNOWN, "cannot find out the topology"),
    ],
)
def test_plan_that_cannot_be_made_says_why(tmp_path, topology, nodes, code, said):
    file = tmp_path / "topology"
    if topology is not None:
        file.write_text(topology)
    words = ("--ranks-per-node", "1", "--map", "m.json", "--topology", str(file))
    done = run("plan", *words, "--nodes", nodes, folder=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert not (tmp_path / "m.json").exists()


def test_slurm_that_refuses_is_not_known(tmp_path):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\necho no controller >&2; exit 1\n")
    scontrol.chmod(0o755)
    done = run("plan", "--ranks-per-node", "1", "--map", "m", "--nodes", "a", folder=tmp_path)
    assert done.returncode == UNKNOWN
    assert "cannot find out the topology: scontrol: no controller" in done.stderr


def test_node_looks_its_rank_up(tmp_path):
    (tmp_path / "m").write_text(dump_map(PLANNED))
    done = run("node-rank", "--map", "m", folder=tmp_path, SLURMD_NODENAME="w-10")
    assert (done.returncode, done.stdout) == (0, "2\n")
    done = run("node-rank", "--map", "m", folder=tmp_path, SLURMD_NODENAME="z")
    assert (done.returncode, done.stdout) == (DIFFERS, "")


def srun(node: str, local: int, ranks: list[int], job: str = "7") -> dict[str, str]:
    return {
        "SLURM_JOB_ID": job,
        "SLURM_STEP_ID": "1",
        "SLURMD_NODENAME": node,
        "SLURM_PROCID": str(ranks[local]),
        "SLURM_LOCALID": str(local),
        "SLURM_GTIDS": ",".join(map(str, ranks)),
    }


def test_srun_says_where_a_process_is():
    assert here(srun("w-10", 1, [4, 5]), "pod") == Here("w-10", 5, False, (4, 5), "7.1.0.0")


def test_torchrun_wins_over_the_srun_that_started_it():
    inside = {"RANK": "17", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "SLURM_RESTART_COUNT": "2"}
    inside["TORCHELASTIC_RESTART_COUNT"] = "3"
    found = here(srun("w-1", 0, [0]) | inside, "pod")
    assert found == Here("w-1", 17, False, (16, 17, 18, 19), "7.1.2.3")


def test_host_stands_in_for_a_node_that_slurm_does_not_name():
    variables = {k: v for k, v in srun("x", 0, [0]).items() if k != "SLURMD_NODENAME"}
    assert here(variables, "w-3.cluster.local").node == "w-3"


@pytest.mark.parametrize(
    "variables", [{}, srun("a/b", 0, [0]), srun("w", 0, [0]) | {"SLURM_GTIDS": ""}]
)
def test_process_that_nobody_placed_is_not_known(variables):
    with pytest.raises(NotKnown, match=r"which (rank|node) this is"):
        here(variables, "pod")


@pytest.mark.parametrize(
    ("realised", "verdict", "different", "first"),
    [
        (AS_PLANNED, "planned", 0, None),
        (
            AS_PLANNED | {"w-2": [4, 5], "w-10": [2, 3]},
            "differs",
            4,
            {"rank": 2, "planned": "w-2", "realised": "w-10"},
        ),
        # Cyclic: one rank on each node in turns.
        (
            {"w-1": [0, 3], "w-2": [1, 4], "w-10": [2, 5]},
            "differs",
            4,
            {"rank": 1, "planned": "w-1", "realised": "w-2"},
        ),
        (
            {"w-1": [0, 1], "w-2": [2, 3], "x": [4, 5]},
            "differs",
            2,
            {"rank": 4, "planned": "w-10", "realised": "x"},
        ),
        (
            AS_PLANNED | {"w-10": [4, 5, 6]},
            "differs",
            1,
            {"rank": 6, "planned": None, "realised": "w-10"},
        ),
        (
            AS_PLANNED | {"w-10": [4]},
            "differs",
            1,
            {"rank": 5, "planned": "w-10", "realised": None},
        ),
        ({"w-1": [0, 1], "w-2": [2, 3]}, "unknown", 0, None),
    ],
)
def test_first_rank_that_differs_is_named(realised, verdict, different, first):
    record = compare(PLANNED, realised)
    found = (record["verdict"], record["different_ranks"], record["first_difference"])
    assert found == (verdict, different, first)


def proved(folder: Path, realised: dict[str, list[int]], within_seconds: float = 20.0):
    """Let every rank prove; return exit codes by rank, and the lines that were printed."""
    lines: list[str] = []

    def one(me: Here) -> tuple[int, int]:
        code = prove(PLANNED, me, folder, within_seconds=within_seconds, tell=lines.append)
        return me.rank, code

    ranks = [
        here(srun(node, local, there), "pod")
        for node, there in realised.items()
        for local in range(len(there))
    ]
    with ThreadPoolExecutor(len(ranks)) as pool:
        return dict(pool.map(one, ranks)), [json.loads(line) for line in lines]


def test_order_as_planned_is_one_line_and_0_on_every_rank(tmp_path):
    codes, lines = proved(tmp_path, AS_PLANNED)
    assert codes == dict.fromkeys(range(6), 0)
    assert lines == [
        {
            "program": "rank_order",
            "verdict": "planned",
            "ranks": 6,
            "nodes": 3,
            "different_ranks": 0,
            "first_difference": None,
            "silent_nodes": [],
            "unknown_nodes": ["w-1", "w-2", "w-10"],
            "job": "7.1.0.0",
        }
    ]


def test_other_order_ends_every_rank_with_the_same_code(tmp_path):
    codes, lines = proved(tmp_path, {"w-1": [0, 1], "w-2": [4, 5], "w-10": [2, 3]})
    assert codes == dict.fromkeys(range(6), DIFFERS)
    assert [line["verdict"] for line in lines] == ["differs"]


def test_node_that_says_nothing_is_named_and_nothing_is_called_planned(tmp_path):
    codes, lines = proved(tmp_path, {"w-1": [0, 1], "w-2": [2, 3]}, within_seconds=1.0)
    assert codes == dict.fromkeys(range(4), UNKNOWN)
    assert lines[0]["silent_nodes"] == ["w-10"]


def test_reports_of_an_earlier_start_are_not_read(tmp_path):
    proved(tmp_path, AS_PLANNED)
    me = Here("w-1", 0, True, (0, 1), "7.1.1.0")
    lines: list[str] = []
    assert prove(PLANNED, me, tmp_path, within_seconds=0.1, tell=lines.append) == UNKNOWN
    assert json.loads(lines[0])["silent_nodes"] == ["w-2", "w-10"]


def test_rank_that_never_hears_rank_0_does_not_know(tmp_path):
    me = Here("w-1", 1, False, (0, 1), "7.1.0.0")
    with pytest.raises(NotKnown, match="rank 0 did not say"):
        prove(PLANNED, me, tmp_path, within_seconds=0.05, tell=print)


def test_program_of_one_rank_proves_by_its_variables(tmp_path):
    (tmp_path / "m").write_text(dump_map(plan_map((), ["w-1"], 1)))
    words = ("check", "--map", "m", "--folder", ".", "--within-seconds", "10")
    done = run(*words, folder=tmp_path, **srun("w-1", 0, [0]))
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "planned")
    done = run(*words, folder=tmp_path, **srun("w-2", 0, [0], job="8"))
    record = json.loads(done.stdout)
    assert done.returncode == DIFFERS
    assert record["first_difference"] == {"rank": 0, "planned": "w-1", "realised": "w-2"}


def test_check_outside_of_a_job_says_so(tmp_path):
    (tmp_path / "m").write_text(dump_map(PLANNED))
    done = run("check", "--map", "m", "--folder", ".", folder=tmp_path)
    assert done.returncode == UNKNOWN
    assert "run it under srun or torchrun" in done.stderr


def test_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "m").write_text(dump_map(PLANNED))
    (tmp_path / "file").write_text("")
    words = ("check", "--map", "m", "--folder", "file")
    done = run(*words, folder=tmp_path, **srun("w-1", 0, [0, 1]))
    assert done.returncode == USAGE
    assert "Traceback" not in done.stderr
    assert os.linesep.join(done.stderr.splitlines()) == done.stderr.strip()
