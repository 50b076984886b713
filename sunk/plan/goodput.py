"""Where the time of a run went, what it cost, and how often it should save; pure.

Goodput is the share of allocated time in which steps were done whose result survived. Times are
whole milliseconds, so that the parts make up the whole exactly.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

STALL_STEPS = 2.0
"""A step that takes longer than so many usual ones waited for something: a save, data, a rank."""
PARTS = 10_000
"""Shares are told in parts of this: hundredths of a percent."""


class Bucket(StrEnum):
    """What allocated time went into; each moment is in one of these."""

    USEFUL = "useful"
    LOST = "lost"
    STALLED = "stalled"
    START = "start"
    TAIL = "tail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One attempt.

    Attributes:
        start_ms: when its allocation began to work for it, since the epoch.
        end_ms: when it ended; now for one that runs.
        steps: number of each step that it did and when that ended, ascending.
    """

    start_ms: int
    end_ms: int
    steps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A run's time.

    Attributes:
        milliseconds: by bucket; together all allocated time.
        between_ms: between attempts: waiting to start again, with nothing allocated.
        step_ms: a usual step; None without two steps on end.
        stall_ms: a usual stall, of which most are saves; None without one.
    """

    milliseconds: Mapping[Bucket, int]
    between_ms: int
    step_ms: int | None
    stall_ms: int | None

    @property
    def allocated_ms(self) -> int:
        """All of it."""
        return sum(self.milliseconds.values())

    @property
    def shares(self) -> dict[Bucket, float]:
        """Share of each bucket, in hundredths of a percent; in decimals they make up one."""
        parts = _parts([self.milliseconds[one] for one in Bucket])
        return {one: part / PARTS for one, part in zip(Bucket, parts, strict=True)}


def account(spans: Sequence[Span]) -> Ledger:
    """Return where the time of a run's attempts went.

    What an attempt did after the step that a later one went on from was lost. Of the last attempt
    all is useful so far.

    Args:
        spans: attempts, oldest first; they do not overlap.
    """
    usual = _usual(spans)
    found = dict.fromkeys(Bucket, 0)
    stalls: list[int] = []
    kept = math.inf
    for span in reversed(spans):
        _account(span, usual or 0, kept, found, stalls)
        if span.steps:
            kept = min(kept, span.steps[0][0] - 1)
    between = sum(after.start_ms - before.end_ms for before, after in pairwise(spans))
    return Ledger(
        milliseconds=found,
        between_ms=between,
        step_ms=usual,
        stall_ms=round(statistics.median(stalls)) if stalls else None,
    )


def daly_seconds(save_seconds: float, mtbf_seconds: float) -> float:
    """Return how long to work between two saves (J. Daly, FGCS 22, 2006, equation 37).

    Args:
        save_seconds: how long a save holds the work up; more than 0.
        mtbf_seconds: mean time between failures of the whole job; more than 0.
    """
    if save_seconds >= 2 * mtbf_seconds:
        return mtbf_seconds
    part = save_seconds / (2 * mtbf_seconds)
    young = math.sqrt(2 * save_seconds * mtbf_seconds)
    return young * (1 + math.sqrt(part) / 3 + part / 9) - save_seconds


def expected_wall(
    interval_seconds: float, save_seconds: float, mtbf_seconds: float, restart_seconds: float = 0.0
) -> float:
    """Return the time that a second of useful work takes on average, failures included."""
    cycle = (interval_seconds + save_seconds) / mtbf_seconds
    again = mtbf_seconds * math.exp(restart_seconds / mtbf_seconds)
    return again * math.expm1(cycle) / interval_seconds


def _account(
    span: Span, usual: int, kept: float, found: dict[Bucket, int], stalls: list[int]
) -> None:
    """Add an attempt to the buckets; every millisecond goes into one of them."""
    if not span.steps:
        found[Bucket.START] += span.end_ms - span.start_ms
        return
    at = max(span.start_ms, min(span.steps[0][1], span.end_ms) - usual)
    found[Bucket.START] += at - span.start_ms
    for step, moment in span.steps:
        # A clock that was set back, or a beat after the end, counts nothing twice.
        now = min(max(moment, at), span.end_ms)
        long = now - at
        stall = long - usual if long > STALL_STEPS * usual and usual else 0
        if stall:
            stalls.append(stall)
        found[Bucket.STALLED] += stall
        found[Bucket.USEFUL if step <= kept else Bucket.LOST] += long - stall
        at = now
    found[Bucket.TAIL] += span.end_ms - at


def _usual(spans: Sequence[Span]) -> int | None:
    lengths = [
        after[1] - before[1]
        for span in spans
        for before, after in pairwise(span.steps)
        if after[0] == before[0] + 1 and after[1] >= before[1]
    ]
    return round(statistics.median(lengths)) if lengths else None


def _parts(amounts: Sequence[int]) -> list[int]:
    """Return amounts as parts of `PARTS` that make it up, by largest remainder."""
    whole = sum(amounts)
    if whole == 0:
        return [0 for _ in amounts]
    parts = [amount * PARTS // whole for amount in amounts]
    order = sorted(range(len(amounts)), key=lambda one: -(amounts[one] * PARTS % whole))
    for one in order[: PARTS - sum(parts)]:
        parts[one] += 1
    return parts
