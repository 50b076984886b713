"""Bandwidth of collectives: pure formulas, tested alone."""

from __future__ import annotations


def allreduce_bus_factor(ranks: int) -> float:
    """Return what an all-reduce's algorithm bandwidth is multiplied by to get its bus bandwidth.

    Args:
        ranks: size of the communicator, at least 1.

    Raises:
        ValueError: `ranks` is less than 1.

    Source:
        nccl-tests, PERFORMANCE.md, "AllReduce": 2(n-1)/n.
    """
    if ranks < 1:
        raise ValueError(f"ranks must be at least 1, not {ranks}")
    return 2 * (ranks - 1) / ranks


def gb_per_s(payload_bytes: int, seconds: float) -> float:
    """Return a bandwidth in GB/s (10**9 bytes).

    Raises:
        ValueError: `seconds` is not positive.
    """
    if seconds <= 0:
        raise ValueError(f"seconds must be positive, not {seconds}")
    return payload_bytes / seconds / 1e9
