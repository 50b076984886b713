"""Checks of container runtimes and launchers."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import rows_of

_row = rows_of("runtime", Domain.RUNTIME)

CHECKS: tuple[Check, ...] = (
    _row(
        "gpu_container",
        "GPUs in containers",
        proves="a container sees the GPUs that it was given",
        reads="Pods' list, nvidia-smi topo -m inside the Pod",
        rule="fewer than asked for is FAIL, more WARN; a Pod that asked for no GPU is SKIP",
        remedy="container toolkit",
    ),
    _row(
        "pmi",
        "Ranks find each other",
        proves="jobs start at size",
        reads="srun --mpi=list, probe",
        rule="a failure is FAIL",
        remedy="PMIx",
    ),
    _row(
        "imex",
        "Memory domain is up",
        proves="GPUs of a rack can share memory",
        reads="nvidia-imex-ctl -N -j, nvidia-smi -q -x",
        rule="a domain that is not UP, a host that is not READY or not CONNECTED is FAIL; GPUs in "
        "no NVLink domain of several hosts are SKIP",
        remedy="IMEX service",
    ),
)
