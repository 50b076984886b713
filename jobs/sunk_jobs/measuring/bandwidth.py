"""Bandwidth of collectives by the formulas of nccl-tests; pure.

The size that people name is that of the largest buffer of a rank, as ``all_reduce_perf -b`` has
it; what is really sent can be less, because parts are kept whole and aligned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_ALIGNMENT_BYTES = 16
"""Each rank's part is a multiple of this, as in nccl-tests."""


class Collective(StrEnum):
    """What ranks do together."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"
    PAIRWISE = "pairwise"


@dataclass(frozen=True)
class Shape:
    """What one rank holds for a collective of some size.

    Attributes:
        send_elements: in its send buffer.
        receive_elements: in its receive buffer.
        part_elements: what goes to or comes from one rank; the whole for all-reduce and pairs.
        payload_bytes: what the formulas call S.
    """

    send_elements: int
    receive_elements: int
    part_elements: int
    payload_bytes: int


def shape_of(collective: Collective, size_bytes: int, ranks: int, element_bytes: int) -> Shape:
    """Return the buffers of a rank; without elements when the size is too small for the ranks.

    Args:
        collective: which.
        size_bytes: of the largest buffer of a rank.
        ranks: size of the communicator.
        element_bytes: of one element; a power of two up to 16.

    Source:
        nccl-tests, the functions GetCollByteCount of each test.
    """
    count = size_bytes // element_bytes
    if collective in {Collective.ALL_REDUCE, Collective.PAIRWISE}:
        return Shape(count, count, count, count * element_bytes)
    step = _ALIGNMENT_BYTES // element_bytes
    part = count // ranks // step * step
    whole = part * ranks
    send = part if collective is Collective.ALL_GATHER else whole
    receive = part if collective is Collective.REDUCE_SCATTER else whole
    return Shape(send, receive, part, whole * element_bytes)


def bus_factor(collective: Collective, ranks: int) -> float:
    """Return what the algorithm bandwidth is multiplied by to get the bus bandwidth.

    Args:
        collective: which.
        ranks: size of the communicator, at least 1.

    Raises:
        ValueError: `ranks` is less than 1.

    Source:
        nccl-tests, doc/PERFORMANCE.md: 2(n-1)/n for all-reduce, 1 for send and receive, (n-1)/n
        for the others.
    """
    if ranks < 1:
        raise ValueError(f"ranks must be at least 1, not {ranks}")
    if collective is Collective.PAIRWISE:
        return 1.0
    once = (ranks - 1) / ranks
    return 2 * once if collective is Collective.ALL_REDUCE else once


def gb_per_s(payload_bytes: int, seconds: float) -> float:
    """Return a bandwidth in GB/s (10**9 bytes).

    Raises:
        ValueError: `seconds` is not positive.
    """
    if seconds <= 0:
        raise ValueError(f"seconds must be positive, not {seconds}")
    return payload_bytes / seconds / 1e9
