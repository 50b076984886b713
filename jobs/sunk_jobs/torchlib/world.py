"""Joining the other ranks with torch: device, back end, process group."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

JOIN_SECONDS = 600
"""Until all ranks are there: images are pulled and torch is imported meanwhile."""


@dataclass(frozen=True)
class World:
    """This rank among the others.

    Attributes:
        rank: from 0.
        size: how many there are.
        device: where tensors live.
        backend: ``nccl`` or ``gloo``.
    """

    rank: int
    size: int
    device: torch.device
    backend: str


@contextmanager
def joined(backend: str, timeout_seconds: float) -> Iterator[World]:
    """Join the ranks that torchrun started (or be the only one), and leave them at the end.

    The device goes to the process group, so that NCCL connects now and not in the first call.

    Args:
        backend: ``nccl``, ``gloo``, or ``auto``: nccl where there is a GPU.
        timeout_seconds: of collectives; a rank that stays away longer is an error.
    """
    if backend == "auto":
        backend = "nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cpu")
    if backend == "nccl":
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    alone = "RANK" not in os.environ
    dist.init_process_group(
        backend,
        init_method=f"tcp://127.0.0.1:{_free_port()}" if alone else "env://",
        rank=0 if alone else int(os.environ["RANK"]),
        world_size=1 if alone else int(os.environ["WORLD_SIZE"]),
        timeout=timedelta(seconds=max(timeout_seconds, JOIN_SECONDS)),
        device_id=device if backend == "nccl" else None,
    )
    try:
        dist.barrier()
        # The start may be slow; after it, a rank that hangs should show in minutes.
        _set_timeout(timeout_seconds)
        yield World(dist.get_rank(), dist.get_world_size(), device, backend)
    finally:
        dist.destroy_process_group()


def _set_timeout(seconds: float) -> None:
    timeout = timedelta(seconds=seconds)
    if hasattr(dist, "set_timeout"):
        dist.set_timeout(timeout)
    else:  # before torch 2.14 or so
        dist.distributed_c10d._set_pg_timeout(timeout, dist.group.WORLD)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
