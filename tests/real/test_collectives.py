"""The collective programs over real MPI, srun and gloo."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk_fabric.active.tools import TOOLS, Ends, Settings, ToolName
from sunk_fabric.parse import collectives
from sunk_jobs.exit_codes import DO_NOT_RESTART
from tests.support.pages import ROOT
from tests.support.programs import TORCH, WORK, compute_node, result_of, torch_environment
from tests.support.rootfs import HOST, Rootfs
from tests.support.slurm_namespace import SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SMALL = ("--sizes", "8,1K,100000", "--samples", "2", "--warmups", "1", "--pair-bytes", "1K")
KINDS = ["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]


@pytest.fixture
def node(slurm_rootfs: Path, tmp_path: Path) -> Rootfs:
    return compute_node(slurm_rootfs, tmp_path)


@pytest.fixture
def torch_node(slurm_rootfs: Path, tmp_path: Path) -> Rootfs:
    return compute_node(slurm_rootfs, tmp_path, torch_environment())


def check(result, schema, ranks, element_bytes):
    """Every collective was measured at each size that the ranks can share, and is right."""
    assert (result["schema"], result["correct"], result["ranks"]) == (schema, True, ranks)
    step = 16 // element_bytes
    wanted = [("all_reduce", size) for size in (8, 1024, 100_000)]
    for kind in KINDS[1:]:
        parts = [size // element_bytes // ranks // step * step for size in (8, 1024, 100_000)]
        wanted += [(kind, part * ranks * element_bytes) for part in parts if part]
    rows = result["rows"]
    assert [(row["collective"], row["size_bytes"]) for row in rows] == wanted
    assert all(row["seconds"] > 0 and row["wrong_elements"] == 0 for row in rows)
    pairs = result["pairs"]["gb_per_s"]
    filled = [[value is not None and value > 0 for value in row] for row in pairs]
    assert filled == [[a != b for b in range(ranks)] for a in range(ranks)]


@pytest.mark.parametrize(("ranks", "kind", "size"), [(3, "float32", 4), (4, "float64", 8)])
def test_ranks_of_mpiexec_measure_and_find_every_element_right(node, ranks, kind, size):
    program = ("python3", "-m", "sunk_jobs.collectives", *SMALL, "--type", kind)
    done = node.run("mpiexec", "-n", str(ranks), *program, "--folder", WORK, cwd=WORK)
    assert done.returncode == 0, done.stderr
    result = result_of(done)
    check(result, "sunk.dev/collectives/v1", ranks, size)
    assert result["hosts"] == [HOST] * ranks
    kept = json.loads((node.point.parent / "work" / "result.json").read_text())
    assert kept == result


def test_mpi_self_test_makes_two_ranks(node):
    done = node.run("python3", "-m", "sunk_jobs.collectives", "--selftest")
    assert (done.returncode, result_of(done)["ranks"]) == (0, 2)


@pytest.mark.parametrize(("ranks", "kind", "size"), [(2, "float32", 4), (3, "bfloat16", 2)])
def test_ranks_of_torchrun_measure_and_find_every_element_right(torch_node, ranks, kind, size):
    launch = (TORCH, "-m", "sunk_jobs.torchrun", "--standalone", f"--nproc-per-node={ranks}")
    program = ("-m", "sunk_jobs.torch_collectives", *SMALL, "--type", kind)
    done = torch_node.run(*launch, *program, cwd=WORK)
    assert done.returncode == 0, done.stderr
    result = result_of(done)
    check(result, "sunk.dev/torch_collectives/v1", ranks, size)
    assert result["library"].endswith(" gloo")


def test_two_tasks_of_the_active_tests_torch_tool_meet_and_measure(torch_node):
    ends, how = Ends(address="127.0.0.1", port=18515, rail=""), Settings(python=TORCH)
    words = shlex.join(TOOLS[ToolName.TORCH].client(ends, how))
    done = torch_node.run("sh", "-c", f"{words} & {words} & wait", cwd=WORK)
    parsed = collectives.parse(done.stdout.encode())
    assert (parsed.trouble, parsed.value.hosts) == ("", (HOST, HOST)), done.stderr
    assert parsed.value.library.endswith(" gloo")


def test_torch_self_test_makes_two_ranks(torch_node):
    done = torch_node.run(TORCH, "-m", "sunk_jobs.torch_collectives", "--selftest")
    assert (done.returncode, result_of(done)["ranks"]) == (0, 2)


def test_too_few_ranks_are_refused_with_the_code_that_stops_restarts(torch_node):
    launch = (TORCH, "-m", "sunk_jobs.torchrun", "--standalone", "--nproc-per-node=2")
    done = torch_node.run(*launch, "-m", "sunk_jobs.torch_collectives", "--ranks", "4")
    assert done.returncode == DO_NOT_RESTART
    assert "torch_collectives: 2 ranks, not 4: the launcher did not wire them up" in done.stderr


# --- under Slurm

JOB = """
set -eu
export PYTHONPATH=/jobs OMPI_MCA_mpi_yield_when_idle=1
run="python3 -m sunk_jobs.collectives --sizes 1K --samples 2 --collectives all_reduce"
rm -rf /tmp/mpi && mkdir /tmp/mpi && cd /tmp/mpi
printf 'SwitchName=a Nodes=w1\\nSwitchName=b Nodes=w[2-3]\\n' > topology
python3 -m sunk_jobs.rank_order plan --nodes w[2,1] --ranks-per-node 1 --topology topology \\
  --map map.json
srun --mpi=pmix -n2 $run --map map.json > right.json
srun --mpi=none -n2 $run > alone.json 2> alone.said && echo 0 > alone.code || echo $? > alone.code
"""


@pytest.fixture
def slurm(slurm_namespace: SlurmNamespace) -> Iterator[SlurmNamespace]:
    jobs = slurm_namespace.path("/jobs")
    shutil.copytree(ROOT / "jobs" / "sunk_jobs", jobs / "sunk_jobs")
    yield slurm_namespace
    shutil.rmtree(jobs)


def test_tasks_of_srun_are_ranks_with_pmix_and_a_named_mismatch_without(slurm):
    slurm.run("salloc", "-Q", "-ww1,w2", "-N2", "-n2", "bash", "-c", JOB, timeout_seconds=240)
    made = slurm.path("/tmp/mpi")
    result = json.loads((made / "right.json").read_text().splitlines()[-1])
    assert (result["correct"], result["ranks"], result["reordered"]) == (True, 2, True)
    assert (made / "alone.code").read_text() == f"{DO_NOT_RESTART}\n"
    said = (made / "alone.said").read_text()
    assert "PMI mismatch: Slurm started 2 tasks and each is alone in MPI" in said
    assert "pmix" in said.partition("srun offers")[2]
    assert (made / "alone.json").read_text() == ""
