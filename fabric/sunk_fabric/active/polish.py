"""Robust statistics of a matrix with holes: levels, effects of senders and receivers; pure.

Source of the median polish: Tukey, Exploratory Data Analysis (1977). One thing differs: of an even
number of values the upper median is taken, because a slow partner drags down and nothing drags up.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
MAD_TO_DEVIATION = 1.4826
"""Standard deviation of a normal distribution / its median absolute deviation."""
LEAST_DEVIATION = 0.005
"""Measurements closer together than this are equal for a clock's and a kernel's purposes."""
LEAST_CELLS = 3
"""With fewer cells, a row or column has no effect of its own: its cells keep what they are."""
_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Effects:
    """What senders and receivers add to the logarithm of a rate.

    Attributes:
        sends: host -> effect; absent for hosts with too few cells.
        receives: host -> effect.
        left: cell -> what no host explains.
    """

    sends: Mapping[str, float]
    receives: Mapping[str, float]
    left: Mapping[tuple[str, str], float]


def deviation(values: Iterable[float]) -> float:
    """Return a robust standard deviation around the median; a small floor for equal values."""
    known = list(values)
    if len(known) < LEAST_CELLS:
        return LEAST_DEVIATION
    centre = statistics.median(known)
    spread = statistics.median(abs(one - centre) for one in known)
    return max(MAD_TO_DEVIATION * spread, LEAST_DEVIATION)


def polish(cells: Mapping[tuple[str, str], float]) -> Effects:
    """Return the effects of rows (senders) and columns (receivers) of a matrix.

    Args:
        cells: sender and receiver -> logarithm of a rate relative to its expectation.
    """
    left = dict(cells)
    sends, receives = _sums(cells, 0), _sums(cells, 1)
    for _ in range(_SWEEPS):
        moved = _sweep(left, sends, 0) + _sweep(left, receives, 1)
        if not moved:
            break
    return Effects(sends, receives, left)


def _sums(cells: Iterable[tuple[str, str]], side: int) -> dict[str, float]:
    counts: dict[str, int] = {}
    for cell in cells:
        counts[cell[side]] = counts.get(cell[side], 0) + 1
    return {host: 0.0 for host, count in sorted(counts.items()) if count >= LEAST_CELLS}


def _sweep(left: dict[tuple[str, str], float], effects: dict[str, float], side: int) -> bool:
    """Move each row's (or column's) median from its cells into its effect."""
    lines: dict[str, list[tuple[str, str]]] = {host: [] for host in effects}
    for cell in left:
        if cell[side] in lines:
            lines[cell[side]].append(cell)
    moved = False
    for host, line in lines.items():
        centre = statistics.median_high(left[cell] for cell in line)
        if abs(centre) > 1e-9:
            moved = True
            effects[host] += centre
            for cell in line:
                left[cell] -= centre
    return moved


def median_by(
    values: Iterable[tuple[K, float]], median: Callable[[list[float]], float] = statistics.median
) -> dict[K, float]:
    """Return the median of the values of each key, sorted by key."""
    found: dict[K, list[float]] = {}
    for key, value in values:
        found.setdefault(key, []).append(value)
    return {key: median(found[key]) for key in sorted(found, key=str)}
