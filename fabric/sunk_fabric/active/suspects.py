"""Suspects: hosts in one direction and ordered pairs, with how sure it is; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Cell = tuple[str, str]
"""Sender and receiver."""
CONFIRMING = 3
"""Repetitions that a verdict takes: two of them must agree. Proposal."""
SURE_MOST = 0.9999


class Kind(StrEnum):
    """What is wrong."""

    SLOW = "slow"
    LOSSY = "lossy"
    CUT = "cut"


class Way(StrEnum):
    """Which direction of a host."""

    SENDS = "sends"
    RECEIVES = "receives"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Suspect:
    """One host in one direction, one ordered pair, or one leaf in one direction.

    Attributes:
        kind: what is wrong.
        host: the host; for a pair its sender.
        way: direction of a host; None for a pair.
        peer: receiver of a pair; empty for a host.
        rail: adapter.
        lost: share of the rate that is lost, or of segments that were repeated; 1 for a cut.
        sure: chance that noise alone would not show this.
        cells: pairs that it rests on.
        repeats: confirming transfers so far.
        confirmed: what they say; None before there are enough.
        leaf: a leaf, instead of a host: what goes beyond it.
    """

    kind: Kind
    host: str
    way: Way | None
    peer: str
    rail: str
    lost: float
    sure: float
    cells: int
    repeats: int
    confirmed: bool | None
    leaf: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that it is about."""
        return tuple(one for one in (self.host, self.peer) if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a test says, by rail.

    Attributes:
        levels: rail, hop class, kind's rate -> median rate of its pairs in Gb/s.
        noise: robust standard deviation of what no host explains, as a share of the rate.
        slower_kinds: hosts of a kind that is slower than the fastest, with the share of its rate,
            where nobody said what their links can do.
        suspects: sorted.
        fleeting: ordered pairs, with rail, that were low once and not when repeated.
        relative: rail, sender, receiver -> rate as a share of what was to be expected.
    """

    levels: Mapping[tuple[str, int], float]
    noise: float
    slower_kinds: Mapping[str, float]
    suspects: tuple[Suspect, ...]
    fleeting: tuple[tuple[str, str, str], ...]
    relative: Mapping[tuple[str, str, str], float]

    def of(self, kind: Kind) -> tuple[Suspect, ...]:
        """Return the suspects of one kind."""
        return tuple(one for one in self.suspects if one.kind is kind)

    @property
    def open(self) -> tuple[Suspect, ...]:
        """Return the suspects that were not repeated often enough."""
        return tuple(one for one in self.suspects if one.confirmed is None)


def confirmed(lows: Sequence[bool]) -> bool | None:
    """Return what repetitions say: most of them; None while there are too few."""
    return None if len(lows) < CONFIRMING else 2 * sum(lows) > len(lows)
