"""What the harness of the job programs costs, beside a bare loop of the same calls."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.support.programs import TORCH, WORK, compute_node, torch_environment

LIMIT = 1.02
_TWO = ("-m", "sunk_jobs.torchrun", "--standalone", "--nproc-per-node=2")
_RUNS = {
    "MPI all-reduce of 1 MiB": ("mpiexec", "-n", "2", "python3", f"{WORK}/inside.py", "mpi"),
    "gloo all-reduce of 1 MiB": (TORCH, *_TWO, f"{WORK}/inside.py", "torch"),
    "training step": (TORCH, f"{WORK}/inside.py", "train"),
}


def figures(rootfs: Path) -> Iterator[Figure]:
    """Ratios of wall times, taken in turns in one process."""
    folder = Path(tempfile.mkdtemp(prefix="sunk-bench-programs-", dir="/var/tmp"))
    try:
        node = compute_node(rootfs, folder, torch_environment())
        shutil.copy(Path(__file__).with_name("inside.py"), folder / "work")
        for name, words in _RUNS.items():
            done = node.run(*words, cwd=WORK, timeout_seconds=300)
            if done.returncode != 0:
                sys.exit(f"bench: {words}: exit status {done.returncode}\n{done.stderr}")
            yield Figure(f"{name}, harness / bare loop", float(done.stdout), LIMIT, "x")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
