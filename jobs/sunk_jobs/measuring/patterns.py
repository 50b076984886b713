"""Known contents of buffers, so that every element of a collective's result can be checked; pure.

All values are small whole numbers: exact in every type down to bfloat16, and so are the sums, in
whatever order they are added. They repeat with a prime period, so that a shifted or torn buffer
cannot look right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_PERIOD = 97
_SUMMANDS_MAX = 64
"""Ranks that add to one element: 64 times the largest value, 3, is exact in bfloat16 (to 256)."""
_RANK_STEP = 31
_VALUES = tuple(1 + (at * at * 7 + at * 3) % _PERIOD % 3 for at in range(_PERIOD))
"""Of 1 to 3 and without a pattern, so that no sum of shifted copies is the same everywhere."""

_MOVED_PERIOD = 193
"""Largest prime whose numbers are exact in bfloat16 with room to spare."""


def contribution(rank: int, ranks: int) -> list[int]:
    """Return one period of what a rank adds; element i of a buffer has value i mod the length.

    Beyond 64 ranks each element gets contributions of some ranks only (of every rank somewhere,
    once there are as many elements as ranks / 64).
    """
    stride = _stride(ranks)
    return [
        _value(rank, at) if (rank + at) % stride == 0 else 0
        for at in range(math.lcm(stride, _PERIOD))
    ]


def total(ranks: int) -> list[int]:
    """Return one period of what the contributions of all ranks add up to."""
    stride = _stride(ranks)
    return [
        sum(_value(rank, at) for rank in range(-at % stride, ranks, stride))
        for at in range(math.lcm(stride, _PERIOD))
    ]


def moved(source: int, destination: int = 0) -> list[int]:
    """Return one period of what a rank sends to another; unlike that of any other pair nearby."""
    slope = 1 + (source // _MOVED_PERIOD + destination) % (_MOVED_PERIOD - 1)
    shift = _RANK_STEP * source + 17 * destination
    return [(slope * at + shift) % _MOVED_PERIOD for at in range(_MOVED_PERIOD)]


def rotated(cycle: Sequence[int], offset: int) -> list[int]:
    """Return a period as it looks from an element on."""
    start = offset % len(cycle)
    return [*cycle[start:], *cycle[:start]]


def _stride(ranks: int) -> int:
    return -(-ranks // _SUMMANDS_MAX)


def _value(rank: int, at: int) -> int:
    return _VALUES[(at + _RANK_STEP * rank) % _PERIOD]
