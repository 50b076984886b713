"""All checks of the fabric validator."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk_fabric.catalogue import (
    accept,
    app,
    evidence,
    host,
    ib,
    k8s,
    loc,
    nccl,
    pair,
    pcie,
    rdma,
    roce,
    runtime,
    sched,
    sharp,
    sriov,
    storage,
)

_GROUPS = (
    accept,
    app,
    evidence,
    host,
    ib,
    k8s,
    loc,
    nccl,
    pair,
    pcie,
    rdma,
    roce,
    runtime,
    sched,
    sharp,
    sriov,
    storage,
)

CHECKS: tuple[Check, ...] = tuple(
    sorted((one for group in _GROUPS for one in group.CHECKS), key=lambda one: one.id)
)
BY_ID = {one.id: one for one in CHECKS}
GROUPS = tuple(sorted({one.group for one in CHECKS}))
