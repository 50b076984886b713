"""Job programs inside the slurm image's root file system, with the torch environment in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sunk.errors import EnvironmentFault
from sunk.local.software.python_environment import RAY, PythonEnvironment
from sunk.local.software.python_environment import TORCH as TORCH_ENVIRONMENT
from sunk.wellknown import TORCH_FOLDER
from sunk.wiring import local as wiring
from tests.support.cluster import local_settings
from tests.support.pages import ROOT
from tests.support.rootfs import Rootfs

WORK = "/work"
TORCH = f"{TORCH_FOLDER}/bin/python3"
_VARIABLES = {
    "PYTHONPATH": "/jobs",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    # As root, and with more ranks than cores.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMPI_MCA_mpi_yield_when_idle": "1",
}


def torch_environment() -> Path:
    """Return this machine's torch environment.

    Raises:
        EnvironmentFault: it was never made.
    """
    return _environment(TORCH_ENVIRONMENT)


def ray_environment() -> Path:
    """Return this machine's Ray environment.

    Raises:
        EnvironmentFault: it was never made.
    """
    return _environment(RAY)


def _environment(environment: PythonEnvironment) -> Path:
    shared = wiring.shared_environment(local_settings(), environment)
    if shared is None:
        raise EnvironmentFault(
            f"run {environment.name} programs: this machine has no {environment.name} environment",
            hint=f"sunk local software {environment.name}",
        )
    return shared.folder


def compute_node(rootfs: Path, folder: Path, torch: Path | None = None) -> Rootfs:
    """Return where programs run: the package at /jobs, a folder that stays at /work.

    Args:
        rootfs: of the slurm image.
        folder: empty; gets the mount point and ``work``.
        torch: the torch environment, for programs that need it.
    """
    point, work = folder / "point", folder / "work"
    point.mkdir()
    work.mkdir()
    binds = {ROOT / "jobs": "/jobs", work: WORK}
    if torch is not None:
        binds[torch] = TORCH_FOLDER
    return Rootfs(rootfs, point, binds, _VARIABLES)


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the one line of JSON that a program ended with."""
    assert done.stdout, f"no result, exit status {done.returncode}:\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
