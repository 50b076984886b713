"""Checks of storage."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import KERNEL, rows_of

_row = rows_of("storage", Domain.STORAGE)

CHECKS: tuple[Check, ...] = (
    _row(
        "mount",
        "Mounted as declared",
        proves="jobs reach their data over the declared transport",
        reads="/proc/mounts",
        rule="a missing mount, or another transport than declared, is FAIL; a file system that "
        "does not tell it is UNKNOWN",
        remedy="mount options: proto=rdma; o2ib of Lustre",
        source=KERNEL,
    ),
    _row(
        "fabric_separate",
        "On its own fabric",
        proves="storage traffic does not meet compute traffic",
        reads="sysfs_rdma, a scan of the compute fabric, storage_adapters of --expect",
        rule="an adapter for storage in one scan with compute adapters is FAIL; Ethernet, or "
        "adapters that nobody declared, are UNKNOWN",
        remedy="cabling",
    ),
    _row(
        "bandwidth",
        "At rate",
        proves="data comes as fast as contracted",
        reads="fio --output-format=json, io500",
        rule="below storage_gb_per_s of --expect is FAIL; a run of fio of less than 30 s or "
        "without direct=1, and a phase that io500 calls invalid, are UNKNOWN; so are "
        "declared rates that no run measured, and all where none is declared",
        remedy="servers, then network",
        proof=Proof.RECORDED,
    ),
    _row(
        "metadata",
        "Small files at rate",
        proves="metadata keeps up",
        reads="mdtest, io500",
        rule="below metadata_per_s of --expect is FAIL; a phase that io500 calls invalid is "
        "UNKNOWN; so are declared rates that no run measured, and all where none is declared",
        remedy="metadata servers",
    ),
    _row(
        "gds",
        "Directly to GPUs",
        proves="data needs no host memory",
        reads="gdscheck -p",
        rule="a file system of storage_gds in --expect that is not Supported, forced compatibility "
        "mode, or a platform that is not fit is FAIL; none declared is SKIP",
        remedy="driver",
    ),
)
