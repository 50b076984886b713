"""Who sends to whom in which round; pure and deterministic.

In every pattern but incast no host is in two pairs of a round, so that what is slow has two ends to
look at and no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sunk_fabric.active.layout import NO_RAIL, Layout


class Pattern(StrEnum):
    """What a plan is made for."""

    TOURNAMENT = "tournament"
    """Every ordered pair once."""
    HOPS = "hops"
    """Some pairs of every hop class, and every leaf."""
    BISECTION = "bisection"
    """Each half of the hosts to the other, all at once: a test of congestion."""
    INCAST = "incast"
    """Many senders, one receiver."""


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """One transfer.

    Attributes:
        sender: host that sends.
        receiver: host that receives.
        rail: adapter of both; empty when there is nothing to choose.
    """

    sender: str
    receiver: str
    rail: str = NO_RAIL

    @property
    def ends(self) -> tuple[str, str]:
        """Return both hosts."""
        return self.sender, self.receiver


Round = tuple[Flow, ...]
Matching = tuple[tuple[str, str], ...]


def shuffled(names: Iterable[str], seed: int) -> tuple[str, ...]:
    """Return names in an order that the seed alone decides."""
    return tuple(
        sorted(names, key=lambda one: (hashlib.sha256(f"{seed}\0{one}".encode()).digest(), one))
    )


def circle(hosts: Sequence[str]) -> Iterator[Matching]:
    """Yield matchings in which every unordered pair is once: N - 1 of N / 2 pairs.

    One host stays, the others turn round it; of an odd number each sits out one round, and there
    are N rounds. Source: the circle method of round-robin tournaments (Kirkman, 1847).
    """
    ring: list[str | None] = [*hosts, *([None] if len(hosts) % 2 else [])]
    size = len(ring)
    for _ in range(size - 1):
        pairs = ((ring[at], ring[size - 1 - at]) for at in range(size // 2))
        yield tuple((one, other) for one, other in pairs if one is not None and other is not None)
        ring = [ring[0], ring[-1], *ring[1:-1]]


def both_ways(matchings: Iterable[Matching], rails: Sequence[str]) -> Iterator[Round]:
    """Yield two rounds for each matching: one each way; all rails of a pair at once."""
    for pairs in matchings:
        yield tuple(Flow(one, other, rail) for one, other in pairs for rail in rails)
        yield tuple(Flow(other, one, rail) for one, other in pairs for rail in rails)


def tournament(layout: Layout, seed: int = 0) -> tuple[Round, ...]:
    """Return rounds in which every ordered pair is once."""
    return tuple(both_ways(circle(shuffled(layout.hosts, seed)), layout.rails))


def hop_sample(layout: Layout, each: int, seed: int = 0) -> tuple[Round, ...]:
    """Return up to `each` matchings of every hop class, both ways, the classes in turns.

    Hosts that were paired least come first, so that no leaf is left out while another is twice.
    """
    used: dict[tuple[str, str], int] = {}
    counts = dict.fromkeys(layout.hosts, 0)
    order = shuffled(layout.hosts, seed)
    rounds: list[Round] = []
    for _ in range(each):
        for hop in layout.hop_classes:
            matching = _matching(layout, order, hop, used, counts)
            for pair in matching:
                used[pair] = used[pair[::-1]] = hop
                for host in pair:
                    counts[host] += 1
            if matching:
                rounds += both_ways((matching,), layout.rails)
    return tuple(rounds)


def _matching(
    layout: Layout,
    order: Sequence[str],
    hop: int,
    used: dict[tuple[str, str], int],
    counts: dict[str, int],
) -> Matching:
    place = {host: at for at, host in enumerate(order)}
    waiting = sorted(order, key=lambda one: (counts[one], place[one]))
    free = dict.fromkeys(waiting)
    pairs = []
    for host in waiting:
        if host not in free:
            continue
        del free[host]
        fitting = (
            other
            for other in free
            if (host, other) not in used and layout.hop(host, other, layout.rails[0]) == hop
        )
        partner = next(fitting, None)
        if partner is not None:
            del free[partner]
            pairs.append((host, partner))
    return tuple(pairs)


def bisection(layout: Layout, shifts: int = 3) -> tuple[Round, ...]:
    """Return rounds in which each host of the first half sends to one of the second, and back."""
    half = len(layout.hosts) // 2
    first, second = layout.hosts[:half], layout.hosts[half : 2 * half]
    count = min(shifts, half)
    matchings = (
        tuple((one, second[(at + turn * half // count) % half]) for at, one in enumerate(first))
        for turn in range(count)
    )
    return tuple(both_ways(matchings, layout.rails))


def incast(layout: Layout, fan_in: int, receivers: int, seed: int = 0) -> tuple[Round, ...]:
    """Return one round for each of some receivers, with `fan_in` senders each."""
    order = shuffled(layout.hosts, seed)
    rounds = []
    for receiver in order[:receivers]:
        at = order.index(receiver)
        others = (*order[at + 1 :], *order[:at])[:fan_in]
        rounds.append(
            tuple(Flow(sender, receiver, rail) for sender in others for rail in layout.rails)
        )
    return tuple(rounds)
