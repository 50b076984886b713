"""Leaves whose hosts are all slow to other leaves and not among themselves: uplinks; pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from sunk_fabric.active.suspects import Cell, Way

LEAST_LEAVES = 3
"""With two, every far pair has an end at each, and neither is the standard."""
LEAST_HOSTS = 2


def slow_leaves(
    cells: Mapping[Cell, float], hops: Mapping[Cell, int], leaf_of: Mapping[str, str], low: float
) -> Mapping[tuple[Way, str], float]:
    """Return what leaves add to the logarithm of rates beyond them, where it is low.

    Args:
        cells: sender and receiver -> logarithm of a rate relative to its expectation.
        hops: sender and receiver -> hop class.
        leaf_of: host -> leaf.
        low: what is low.
    """
    leaves = sorted(set(leaf_of.values()))
    if len(leaves) < LEAST_LEAVES:
        return {}
    found = {}
    for leaf in leaves:
        near = [value for cell, value in cells.items() if _inside(cell, leaf, leaf_of)]
        if near and statistics.median_high(near) < low:
            continue
        for way in Way:
            own = [cell for cell in cells if leaves_by(cell, way, leaf, hops, leaf_of)]
            by_host: dict[str, list[float]] = {}
            for cell in own:
                by_host.setdefault(cell[way is Way.RECEIVES], []).append(cells[cell])
            middles = [statistics.median_high(values) for values in by_host.values()]
            if len(middles) >= LEAST_HOSTS and max(middles) < low:
                found[way, leaf] = statistics.median_high(cells[cell] for cell in own)
    return found


def leaves_by(
    cell: Cell, way: Way, leaf: str, hops: Mapping[Cell, int], leaf_of: Mapping[str, str]
) -> bool:
    """Return whether a pair goes beyond a leaf, and the leaf is its sender's or receiver's."""
    return hops[cell] > 0 and leaf_of.get(cell[way is Way.RECEIVES]) == leaf


def _inside(cell: Cell, leaf: str, leaf_of: Mapping[str, str]) -> bool:
    return leaf_of.get(cell[0]) == leaf == leaf_of.get(cell[1])
