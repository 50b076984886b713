"""Whether the ranks of a training run go on, and who holds the others up; pure.

Ranks meet in every step, so a rank that waits looks like one that is waited for. What tells them
apart: when all stand still, those that did the fewest steps are the ones that the others wait for;
while all go on, one that ends its steps later than it used to, measured against the others, has
become slow. The clocks of nodes differ, so lateness counts from what it was in its first steps.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

BASELINE_STEPS = 10
"""First steps of a rank, by which its clock is known."""
RECENT_STEPS = 10
HANG_STEPS = 10.0
"""Without a step for so many of the usual length …"""
HANG_SECONDS = 300.0
"""… and at least so long, a run hangs; a save or an evaluation takes its time."""
SLOW_SHARE = 0.2
"""Later than before by this share of a step …"""
SLOW_SECONDS = 0.05
"""… and at least so much, a rank is a straggler."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One step of one rank: its number, and when it was done in seconds since the epoch."""

    step: int
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rank runs; empty where that is not known."""

    node: str = ""
    leaf: str = ""


class Pace(StrEnum):
    """What a rank is at."""

    FINE = "fine"
    STRAGGLER = "straggler"
    WAITED_FOR = "waited for"
    WAITS = "waits"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankPace:
    """One rank.

    Attributes:
        step: the last one it did; 0 before the first.
        age_seconds: since then; None before.
        late_seconds: how much later than in its first steps it ends the recent ones, measured
            against the median of all ranks; None while there are too few.
    """

    rank: int
    node: str
    leaf: str
    step: int
    age_seconds: float | None
    late_seconds: float | None
    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPace:
    """A run.

    Attributes:
        step: the furthest that any rank is.
        step_seconds: usual length of a recent step; None while there are too few.
        hangs: nobody did a step for too long.
        ranks: by number.
        said: one line for people.
    """

    step: int
    step_seconds: float | None
    hangs: bool
    ranks: tuple[RankPace, ...]
    said: str

    @property
    def odd(self) -> tuple[RankPace, ...]:
        """The ranks that are to be looked at."""
        usual = {Pace.FINE, Pace.WAITS}
        return tuple(one for one in self.ranks if one.pace not in usual)


def judge(
    beats: Mapping[int, Sequence[Beat]],
    places: Mapping[int, Place],
    now: float,
    *,
    hang_seconds: float = HANG_SECONDS,
) -> RunPace:
    """Say how a run goes.

    Args:
        beats: of each rank, in the order of their steps.
        places: of each rank that there should be; one without a beat is silent.
        now: seconds since the epoch, by the clock of who asks.
        hang_seconds: the shortest stand-still that counts.
    """
    numbers = sorted({*beats, *places})
    last = {rank: beats[rank][-1] for rank in numbers if beats.get(rank)}
    length = _step_seconds(beats)
    newest = max((one.time for one in last.values()), default=None)
    limit = max(hang_seconds, HANG_STEPS * (length or 0.0))
    hangs = newest is not None and now - newest > limit
    late = _lateness(beats)
    furthest = max((one.step for one in last.values()), default=0)
    least = min((last[rank].step if rank in last else 0 for rank in numbers), default=0)
    made = []
    for rank in numbers:
        place, beat = places.get(rank, Place()), last.get(rank)
        pace = _pace(beat, late.get(rank), length, hangs=hangs, least=least, furthest=furthest)
        made.append(
            RankPace(
                rank=rank,
                node=place.node,
                leaf=place.leaf,
                step=0 if beat is None else beat.step,
                age_seconds=None if beat is None else round(max(0.0, now - beat.time), 3),
                late_seconds=None if rank not in late else round(late[rank], 3),
                pace=pace,
            )
        )
    ranks = tuple(made)
    said = _said(ranks, furthest, length, None if newest is None else now - newest, hangs=hangs)
    return RunPace(step=furthest, step_seconds=length, hangs=hangs, ranks=ranks, said=said)


def _pace(
    beat: Beat | None,
    late: float | None,
    length: float | None,
    *,
    hangs: bool,
    least: int,
    furthest: int,
) -> Pace:
    if beat is None:
        return Pace.SILENT
    if hangs:
        return Pace.WAITED_FOR if beat.step == least < furthest else Pace.WAITS
    limit = max(SLOW_SECONDS, SLOW_SHARE * (length or 0.0))
    return Pace.STRAGGLER if late is not None and late > limit else Pace.FINE


def _step_seconds(beats: Mapping[int, Sequence[Beat]]) -> float | None:
    """Return the median length of recent steps, over all ranks."""
    lengths = [
        after.time - before.time
        for mine in beats.values()
        for before, after in zip(mine[-RECENT_STEPS - 1 : -1], mine[-RECENT_STEPS:], strict=False)
        if after.step == before.step + 1
    ]
    return round(statistics.median(lengths), 6) if lengths else None


def _lateness(beats: Mapping[int, Sequence[Beat]]) -> dict[int, float]:
    """Return how much later each rank is now than at first, against the median of all ranks."""
    times: dict[int, list[float]] = {}
    for mine in beats.values():
        for beat in mine:
            times.setdefault(beat.step, []).append(beat.time)
    middle = {step: statistics.median(each) for step, each in times.items()}
    found = {}
    for rank, mine in beats.items():
        if len(mine) < BASELINE_STEPS + RECENT_STEPS:
            continue
        offsets = [beat.time - middle[beat.step] for beat in mine]
        before = statistics.median(offsets[:BASELINE_STEPS])
        found[rank] = statistics.median(offsets[-RECENT_STEPS:]) - before
    return found


def _said(
    ranks: Sequence[RankPace],
    step: int,
    length: float | None,
    age: float | None,
    *,
    hangs: bool,
) -> str:
    silent = [one for one in ranks if one.pace is Pace.SILENT]
    if age is None:
        return f"no rank has done a step yet ({len(ranks)} expected)"
    if hangs:
        waited = [one for one in ranks if one.pace in {Pace.WAITED_FOR, Pace.SILENT}]
        whom = f"waited for: {_names(waited)}" if waited else "all ranks stopped together"
        return f"hangs at step {step} for {age:.0f} s; {whom}"
    slow = [one for one in ranks if one.pace is Pace.STRAGGLER]
    pace = "" if length is None else f", {length:.3g} s a step"
    text = f"step {step}{pace}"
    if slow:
        text += f"; slower than at first: {_names(slow)}"
    if silent:
        text += f"; never heard of: {_names(silent)}"
    return text


def _names(ranks: Sequence[RankPace], most: int = 4) -> str:
    words = []
    for one in ranks[:most]:
        where = "".join(
            (f" on {one.node}" if one.node else "", f", leaf {one.leaf}" if one.leaf else "")
        )
        words.append(f"rank {one.rank}{where}")
    more = f" and {len(ranks) - most} more" if len(ranks) > most else ""
    return "; ".join(words) + more
