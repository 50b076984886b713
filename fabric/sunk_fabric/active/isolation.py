"""Which transfers tell a bad host from a bad link, and repeat what was seen once; pure.

A suspect host is tried with two partners that nothing is held against; a suspect pair is repeated,
and where an end has met too few others to be judged, that end is tried with good partners too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sunk_fabric.active.layout import Layout
from sunk_fabric.active.patterns import Flow, Round
from sunk_fabric.active.polish import LEAST_CELLS
from sunk_fabric.active.samples import Gone, Sample
from sunk_fabric.active.suspects import CONFIRMING, Assessment, Suspect, Way


def confirming(
    found: Assessment, samples: Sequence[Sample], layout: Layout, room: int
) -> tuple[Round, ...]:
    """Return the next rounds, at most `room`; none when every suspect is decided."""
    if room <= 0 or not found.open:
        return ()
    accused = {host for one in found.suspects for host in (*one.hosts, *_below(one, layout))}
    good = [host for host in layout.hosts if host not in accused]
    wanted = [
        flow
        for one in found.open
        for flow in _flows(one, samples, layout, good or list(layout.hosts))
    ]
    return tuple(_packed(wanted))[:room]


def _flows(
    suspect: Suspect, samples: Sequence[Sample], layout: Layout, good: Sequence[str]
) -> Iterator[Flow]:
    missing = CONFIRMING - suspect.repeats
    if suspect.leaf:
        assert suspect.way is not None
        partners = [one for one in good if one not in _below(suspect, layout)]
        ends = zip(_below(suspect, layout), partners, strict=False)
        for host, partner in list(ends)[:missing]:
            yield _flow(host, suspect.way, partner, suspect.rail)
        return
    if suspect.way is not None:
        partners = _partners(suspect.host, suspect.rail, layout, good)
        for partner in partners[:missing]:
            yield _flow(suspect.host, suspect.way, partner, suspect.rail)
        return
    fresh = [
        flow
        for host, way in ((suspect.host, Way.SENDS), (suspect.peer, Way.RECEIVES))
        for flow in _first_meetings(host, way, suspect, samples, layout, good)
    ]
    # As long as an end has met too few, the pair's own repetitions would not tell which it is.
    yield from fresh or [Flow(suspect.host, suspect.peer, suspect.rail)] * missing


def _first_meetings(
    host: str,
    way: Way,
    suspect: Suspect,
    samples: Sequence[Sample],
    layout: Layout,
    good: Sequence[str],
) -> Iterator[Flow]:
    met = _met(host, way, suspect.rail, samples)
    partners = _partners(host, suspect.rail, layout, good)
    new = [one for one in partners if one not in {*met, suspect.host, suspect.peer}]
    for partner in new[: max(LEAST_CELLS - len(met), 0)]:
        yield _flow(host, way, partner, suspect.rail)


def _below(suspect: Suspect, layout: Layout) -> list[str]:
    """Return the hosts of a suspect leaf."""
    return [
        host
        for host in layout.hosts
        if suspect.leaf and layout.leaf_of.get((host, suspect.rail)) == suspect.leaf
    ]


def _flow(host: str, way: Way, partner: str, rail: str) -> Flow:
    return Flow(host, partner, rail) if way is Way.SENDS else Flow(partner, host, rail)


def _partners(host: str, rail: str, layout: Layout, good: Sequence[str]) -> list[str]:
    """Return good partners: those at other leaves first, as a leaf can be the cause itself."""
    leaf = layout.leaf_of.get((host, rail))
    others = [one for one in good if one != host]
    # Begin elsewhere for every host, so that one good partner is not everybody's.
    at = layout.hosts.index(host) % max(len(others), 1) if host in layout.hosts else 0
    turned = [*others[at:], *others[:at]]
    return sorted(turned, key=lambda one: layout.leaf_of.get((one, rail)) == leaf)


def _met(host: str, way: Way, rail: str, samples: Iterable[Sample]) -> set[str]:
    return {
        one.flow.ends[way is Way.SENDS]
        for one in samples
        if one.flow.ends[way is Way.RECEIVES] == host
        and one.flow.rail == rail
        and one.gone is Gone.NO
    }


def _packed(flows: Iterable[Flow]) -> Iterator[Round]:
    """Yield rounds in which no host is in two pairs; every flow is in one."""
    left = list(flows)
    while left:
        busy: set[str] = set()
        taken, rest = [], []
        for flow in left:
            if busy.isdisjoint(flow.ends):
                busy.update(flow.ends)
                taken.append(flow)
            else:
                rest.append(flow)
        yield tuple(taken)
        left = rest


def failing(samples: Iterable[Sample], least: int = CONFIRMING) -> frozenset[str]:
    """Return hosts that failed each way with so many good partners, and never did well.

    They are not tried further while the plan runs: each attempt costs its whole time limit.
    """
    failed: dict[tuple[str, Way], set[str]] = {}
    well: set[str] = set()
    for one in samples:
        sender, receiver = one.flow.ends
        if one.gone is Gone.CUT:
            failed.setdefault((sender, Way.SENDS), set()).add(receiver)
            failed.setdefault((receiver, Way.RECEIVES), set()).add(sender)
        elif one.gone is Gone.NO:
            well |= {sender, receiver}
    return frozenset(
        host
        for host, _ in failed
        if host not in well
        and all(len(failed.get((host, way), set()) & well) >= least for way in Way)
    )
