"""How long an asynchronous save holds the training loop up, beside torch's of the same state."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure
from tests.support.pages import ROOT

_PROGRAM = Path(__file__).with_name("checkpoint_inside.py")


def figures(python: str = sys.executable) -> Iterator[Figure]:
    """Medians of wall times taken in turns in one process.

    Args:
        python: one with torch. Without torch the figure says so and has no value.
    """
    has = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    if has.returncode != 0:
        yield Figure("async save blocks: not measured, no torch", math.nan, None, "x")
        return
    done = subprocess.run(
        [python, _PROGRAM, "/var/tmp"],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'jobs'}:{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"bench: {_PROGRAM.name}: exit status {done.returncode}\n{done.stderr}")
    said = json.loads(done.stdout.splitlines()[-1])
    ours = said["seconds"].pop("ours")
    yield Figure(f"async save of {said['mib']:g} MiB blocks", ours, None, "s")
    for name, theirs in said["seconds"].items():
        yield Figure(f"async save blocks, ours / {name}", ours / theirs, 1.0, "x")
