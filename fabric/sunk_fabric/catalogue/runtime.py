"""Checks of container runtimes and launchers."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
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
        reads="srun python3 -m sunk_jobs.collectives",
        rule="an MPI program that ran on as many nodes as job_nodes declares is PASS; on fewer "
        "UNKNOWN; one that did not start has no record, and is UNKNOWN too",
        remedy="PMIx",
        proof=Proof.RECORDED,
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
