"""From the times of many ranks to one figure; pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """How long a call took.

    Attributes:
        seconds: the largest of the ranks' medians: what the job waits for.
        p50_seconds: median over repetitions, each as slow as its slowest rank.
        p99_seconds: 99th percentile of the same (nearest rank).
        slowest_rank: whose median is largest; the lowest of several.
    """

    seconds: float
    p50_seconds: float
    p99_seconds: float
    slowest_rank: int


def summarise(samples: Sequence[Sequence[float]]) -> Timing:
    """Return the figures of the samples of each rank; every rank has the same number, at least 1.

    Args:
        samples: by rank, then by repetition; seconds of one call.
    """
    medians = [statistics.median(one) for one in samples]
    slowest = max(range(len(medians)), key=lambda rank: (medians[rank], -rank))
    together = [max(column) for column in zip(*samples, strict=True)]
    return Timing(
        seconds=medians[slowest],
        p50_seconds=percentile(together, 50),
        p99_seconds=percentile(together, 99),
        slowest_rank=slowest,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least so many percent of the values do not exceed."""
    place = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[place - 1]


def calls_for(target_seconds: float, call_seconds: float, most: int) -> int:
    """Return how many calls in a row take about so long, at least 1 and at most `most`."""
    if call_seconds * most <= target_seconds:
        return most
    return max(1, math.ceil(target_seconds / call_seconds))


def rounds(ranks: int) -> list[list[tuple[int, int]]]:
    """Return rounds of disjoint pairs in which each pair of ranks meets once (circle method).

    Pairs have the lower rank first; with an odd number one rank rests in each round.
    """
    seats: list[int | None] = list(range(ranks))
    if ranks % 2:
        seats.append(None)
    half = len(seats) // 2
    played = []
    for _ in range(len(seats) - 1):
        facing = zip(seats[:half], reversed(seats[half:]), strict=True)
        met = [(min(a, b), max(a, b)) for a, b in facing if a is not None and b is not None]
        played.append(sorted(met))
        seats = [seats[0], seats[-1], *seats[1:-1]]
    return played
