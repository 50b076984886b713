"""Checks of storage."""

from __future__ import annotations

from sunk.assess.check import Check
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
        reads="subnets per role",
        rule="mixed is FAIL",
        remedy="cabling",
    ),
    _row(
        "bandwidth",
        "At rate",
        proves="data comes as fast as contracted",
        reads="fio, IOR",
        rule="below contract is FAIL",
        remedy="servers, then network",
    ),
    _row(
        "metadata",
        "Small files at rate",
        proves="metadata keeps up",
        reads="mdtest",
        rule="below contract is FAIL",
        remedy="metadata servers",
    ),
    _row(
        "gds",
        "Directly to GPUs",
        proves="data needs no host memory",
        reads="gdscheck -p",
        rule="compatibility mode is FAIL where declared",
        remedy="driver",
    ),
)
