"""Rates of all pairs as a map: senders as rows, receivers as columns; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from sunk_fabric.active.layout import Layout
from sunk_fabric.active.samples import Gone
from sunk_fabric.active.suspects import Suspect, Way
from sunk_fabric.tested import Tested

CELL = 14
"""Width and height of a cell in pixels; names of hosts stand beside their rows."""
MARGIN = 120
_STEPS = (
    (0.5, "darkred"),
    (0.7, "crimson"),
    (0.8, "orangered"),
    (0.9, "orange"),
    (0.95, "khaki"),
    (float("inf"), "seagreen"),
)
"""Share of what was to be expected, and the colour of what is below it."""
MISSING, OWN = "dimgray", "whitesmoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """One rail.

    Attributes:
        rail: adapter; empty without a choice.
        hosts: in the network's order.
        shares: sender and receiver -> rate as a share of what was to be expected.
        missing: pairs that were tried and have no figure.
        marked: pairs and hosts that are suspects: sender and receiver, one of them empty for hosts.
        breaks: numbers of the hosts before which another leaf begins.
    """

    rail: str
    hosts: tuple[str, ...]
    shares: Mapping[tuple[str, str], float]
    missing: frozenset[tuple[str, str]]
    marked: frozenset[tuple[str, str]]
    breaks: tuple[int, ...]


def heat_maps(test: Tested) -> tuple[HeatMap, ...]:
    """Return one map for each rail."""
    return tuple(_map(test, rail) for rail in test.record.rails)


def _map(test: Tested, rail: str) -> HeatMap:
    found = test.assessment
    own = [one for one in test.samples if one.flow.rail == rail]
    shares = {
        (sender, receiver): share
        for (one, sender, receiver), share in found.relative.items()
        if one == rail
    }
    tried = {one.flow.ends for one in own if one.gone is not Gone.NO}
    return HeatMap(
        rail=rail,
        hosts=test.layout.hosts,
        shares=shares,
        missing=frozenset(tried - set(shares)),
        marked=frozenset(_mark(one) for one in found.suspects if one.rail == rail),
        breaks=_breaks(test.layout, rail),
    )


def _mark(one: Suspect) -> tuple[str, str]:
    if one.way is None:
        return one.host, one.peer
    return (one.host, "") if one.way is Way.SENDS else ("", one.host)


def _breaks(layout: Layout, rail: str) -> tuple[int, ...]:
    leaves = [layout.leaf_of.get((host, rail), "") for host in layout.hosts]
    return tuple(at for at in range(1, len(leaves)) if leaves[at] != leaves[at - 1])


def colour(share: float) -> str:
    """Return the colour of a share."""
    return next(name for limit, name in _STEPS if share < limit)


def draw(maps: tuple[HeatMap, ...]) -> str:
    """Return all maps as one SVG; the same maps give the same bytes."""
    count = max((len(one.hosts) for one in maps), default=0)
    width, each = MARGIN + count * CELL + CELL, MARGIN + count * CELL + 2 * CELL
    body = [line for at, one in enumerate(maps) for line in _drawn(one, at * each)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{each * len(maps)}"'
            f' viewBox="0 0 {width} {each * len(maps)}" font-family="sans-serif" font-size="9">',
            "<title>Rates between hosts, as a share of what was to be expected</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            *body,
            "</svg>\n",
        )
    )


def _drawn(one: HeatMap, top: int) -> Iterator[str]:
    yield f'<text x="4" y="{top + 12}">rows send, columns receive {escape(one.rail)}</text>'
    offsets = [at + sum(at >= cut for cut in one.breaks) * 0.25 for at in range(len(one.hosts))]
    for at, host in enumerate(one.hosts):
        y, x = top + MARGIN + offsets[at] * CELL, MARGIN + offsets[at] * CELL
        sends = ' fill="crimson" font-weight="bold"' if (host, "") in one.marked else ""
        takes = ' fill="crimson" font-weight="bold"' if ("", host) in one.marked else ""
        yield f'<text x="4" y="{y + 10:g}"{sends}>{escape(host)}</text>'
        yield (
            f'<text transform="translate({x + 10:g},{top + MARGIN - 4}) rotate(-60)"{takes}>'
            f"{escape(host)}</text>"
        )
    for row, sender in enumerate(one.hosts):
        for column, receiver in enumerate(one.hosts):
            place = (MARGIN + offsets[column] * CELL, top + MARGIN + offsets[row] * CELL)
            yield _cell(one, sender, receiver, place)


def _cell(one: HeatMap, sender: str, receiver: str, place: tuple[float, float]) -> str:
    share = one.shares.get((sender, receiver))
    if sender == receiver:
        fill, words = OWN, sender
    elif share is not None:
        fill, words = colour(share), f"{sender} to {receiver}: {share:.2f}"
    elif (sender, receiver) in one.missing:
        fill, words = MISSING, f"{sender} to {receiver}: no figure"
    else:
        fill, words = "white", f"{sender} to {receiver}: not tried"
    bad = ' stroke="black" stroke-width="2"' if (sender, receiver) in one.marked else ""
    return (
        f'<rect x="{place[0]:g}" y="{place[1]:g}" width="{CELL - 1}" height="{CELL - 1}"'
        f' fill="{fill}"{bad}><title>{escape(words)}</title></rect>'
    )
