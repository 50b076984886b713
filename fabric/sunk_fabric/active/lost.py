"""Hosts and pairs that reach nobody, and those that lose segments; pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from sunk_fabric.active.polish import LEAST_CELLS, median_by
from sunk_fabric.active.samples import Gone, Phase, Sample
from sunk_fabric.active.suspects import CONFIRMING, SURE_MOST, Cell, Kind, Suspect, Way, confirmed

LOSS_SHARE = 0.01
"""Segments repeated that are a fault. Proposal: queues that fill cost some thousandths."""
LOSS_FACTOR = 4.0
"""And so many times what is usual here. Proposal."""
QUEUE_SHARE = 0.5
"""Of the usual round trip: longer is a queue as long as others'. Proposal."""


def cut(samples: Sequence[Sample], hosts: Sequence[str], rail: str) -> Iterator[Suspect]:
    """Yield hosts that reach nobody, or that nobody reaches, and then single pairs."""
    tried = [one for one in samples if one.gone in {Gone.NO, Gone.CUT}]
    silent = {way: {one for one in hosts if _silent(_own(tried, one, way), way)} for way in Way}
    well = {host for one in tried if one.gone is Gone.NO for host in one.flow.ends}
    for way in Way:
        for host in sorted(silent[way]):
            own = _own(tried, host, way)
            # Whoever was tried only with hosts that are silent themselves is not accused.
            partners = _far(own, way) - (silent[_other(way)] - {host})
            if partners:
                # Each partner that reaches others is a repetition with one that is good.
                again = [True] * len(partners & well)
                yield _cut_suspect((host, way, ""), rail, own, again)
    pairs: dict[Cell, list[Sample]] = {}
    for one in tried:
        sender, receiver = one.flow.ends
        if sender not in silent[Way.SENDS] and receiver not in silent[Way.RECEIVES]:
            pairs.setdefault(one.flow.ends, []).append(one)
    for cell, own in sorted(pairs.items()):
        if sum(one.gone is Gone.CUT for one in own) * 2 > len(own):
            again = [one.gone is Gone.CUT for one in own if one.phase is Phase.CONFIRM]
            yield _cut_suspect((cell[0], None, cell[1]), rail, own, again)


def _own(samples: Sequence[Sample], host: str, way: Way) -> list[Sample]:
    return [one for one in samples if one.flow.ends[way is Way.RECEIVES] == host]


def _far(samples: Sequence[Sample], way: Way) -> set[str]:
    return {one.flow.ends[way is Way.SENDS] for one in samples}


def _other(way: Way) -> Way:
    return Way.SENDS if way is Way.RECEIVES else Way.RECEIVES


def _silent(own: Sequence[Sample], way: Way) -> bool:
    return len(_far(own, way)) >= 2 and all(one.gone is Gone.CUT for one in own)


def _cut_suspect(
    who: tuple[str, Way | None, str], rail: str, own: Sequence[Sample], again: Sequence[bool]
) -> Suspect:
    host, way, peer = who
    return Suspect(
        kind=Kind.CUT,
        host=host,
        way=way,
        peer=peer,
        rail=rail,
        lost=1.0,
        sure=SURE_MOST if len(own) > 1 else 0.5,
        cells=len({one.flow for one in own}),
        repeats=len(again),
        confirmed=confirmed(again),
    )


def lossy(samples: Sequence[Sample], rail: str, slow: frozenset[Cell]) -> Iterator[Suspect]:
    """Yield hosts most of whose pairs lose segments in one direction, and then single pairs.

    Args:
        samples: of one rail.
        rail: its name.
        slow: pairs whose rate is low.
    """
    known = [one for one in samples if one.retransmit_share is not None]
    shares = median_by((one.flow.ends, one.retransmit_share or 0.0) for one in known)
    full = _overflowing(known, slow)
    cells = {cell: share for cell, share in shares.items() if cell not in full}
    if not cells:
        return
    low = max(LOSS_SHARE, LOSS_FACTOR * statistics.median(cells.values()))
    bad = {cell for cell, share in cells.items() if share >= low}
    hosts: set[tuple[Way, str]] = set()
    for way in Way:
        for host in sorted({cell[way is Way.RECEIVES] for cell in bad}):
            own = [cell for cell in cells if cell[way is Way.RECEIVES] == host]
            share = statistics.median(cells[cell] for cell in own)
            if len(own) >= LEAST_CELLS and share >= low:
                hosts.add((way, host))
                mine = [one for one in known if one.flow.ends[way is Way.RECEIVES] == host]
                yield _lossy_suspect(host, way, "", rail, (share, len(own), low), mine)
    for cell in sorted(bad):
        if (Way.SENDS, cell[0]) not in hosts and (Way.RECEIVES, cell[1]) not in hosts:
            mine = [one for one in known if one.flow.ends == cell]
            yield _lossy_suspect(cell[0], None, cell[1], rail, (cells[cell], 1, low), mine)


def _overflowing(samples: Sequence[Sample], slow: frozenset[Cell]) -> frozenset[Cell]:
    """Return slow pairs whose queue is full: what they lose is the effect and not the cause.

    A sender that loses at random keeps its window small, and so the queue empty and the round trip
    short; one that meets a narrow place fills the queue before it.
    """
    trips = median_by((one.flow.ends, one.rtt_us) for one in samples if one.rtt_us is not None)
    if not trips:
        return frozenset()
    long = QUEUE_SHARE * statistics.median(trips.values())
    return frozenset(cell for cell in slow if trips.get(cell, 0.0) >= long)


def _lossy_suspect(
    host: str,
    way: Way | None,
    peer: str,
    rail: str,
    figures: tuple[float, int, float],
    own: Sequence[Sample],
) -> Suspect:
    share, count, low = figures
    again = [(one.retransmit_share or 0.0) >= low for one in own if one.phase is Phase.CONFIRM]
    return Suspect(
        kind=Kind.LOSSY,
        host=host,
        way=way,
        peer=peer,
        rail=rail,
        lost=share,
        sure=SURE_MOST if sum(again) >= CONFIRMING else 0.9,
        cells=count,
        repeats=len(again),
        confirmed=confirmed(again),
    )
