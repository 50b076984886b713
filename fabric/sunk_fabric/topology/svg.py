"""A fabric as a picture: deterministic SVG, levels as rows, defects in red."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from sunk_fabric.topology.audit import Audit
from sunk_fabric.topology.levels import switch_peers
from sunk_fabric.topology.rails import natural

BOX = (12, 16)
"""Width and height of a switch, in pixels; names are in its tooltip and, where they fit, beside."""
STEP = 18
ROW = 120
MARGIN = 40
LABELLED = 24
"""A row with more switches than this has no room for names."""


@dataclass(frozen=True, slots=True)
class _Spot:
    x: int
    y: int


def draw(found: Audit) -> str:
    """Return the picture; the same audit gives the same bytes."""
    spots = _spots(found)
    width = max((one.x for one in spots.values()), default=0) + BOX[0] + 2 * MARGIN
    height = max((one.y for one in spots.values()), default=0) + BOX[1] + 2 * MARGIN
    bad = {subject for one in found.defects for subject in (one.subject, *one.touches)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">',
        f"<title>{escape(_title(found))}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        *_cables(found, spots),
        *_switches(found, spots, bad),
        *_rows(found),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _title(found: Audit) -> str:
    fabric = found.fabric
    return f"{len(fabric.hcas)} adapters, {len(fabric.switches)} switches"


def _spots(found: Audit) -> Mapping[str, _Spot]:
    spots = {}
    widest = max((len(found.levels.at(one)) for one in range(1, found.levels.top + 1)), default=0)
    for level in range(1, found.levels.top + 1):
        row = sorted(found.levels.at(level), key=lambda one: natural(found.fabric.name(one)))
        spread = STEP * widest // max(len(row), 1)
        for number, guid in enumerate(row):
            x = MARGIN + 60 + number * spread + (spread - BOX[0]) // 2
            spots[guid] = _Spot(x, MARGIN + (found.levels.top - level) * ROW)
    return spots


def _cables(found: Audit, spots: Mapping[str, _Spot]) -> Iterator[str]:
    red = {link for one in found.defects for link in one.links}
    counted: Counter[tuple[str, str]] = Counter()
    bad: set[tuple[str, str]] = set()
    for guid in spots:
        for link, far in switch_peers(found.fabric, guid):
            if guid < far and far in spots:
                counted[guid, far] += 1
                if link in red:
                    bad.add((guid, far))
    for pair in sorted(counted, key=lambda one: (one in bad, one)):
        low, high = (spots[guid] for guid in pair)
        colour = "crimson" if pair in bad else "silver"
        style = f'stroke="{colour}" stroke-width="{2 if pair in bad else 0.5}"'
        title = f"{found.fabric.name(pair[0])} - {found.fabric.name(pair[1])}: {counted[pair]}"
        yield (
            f'<line x1="{low.x + BOX[0] // 2}" y1="{low.y + BOX[1] // 2}"'
            f' x2="{high.x + BOX[0] // 2}" y2="{high.y + BOX[1] // 2}" {style}>'
            f"<title>{escape(title)}</title></line>"
        )


def _switches(found: Audit, spots: Mapping[str, _Spot], bad: set[str]) -> Iterator[str]:
    hosts: dict[str, int] = defaultdict(int)
    for leaf in found.placement.leaf_of.values():
        hosts[leaf] += 1
    for guid in sorted(spots):
        spot, name = spots[guid], found.fabric.name(guid)
        colour = "crimson" if found.fabric.subject(guid) in bad else "steelblue"
        title = f"{name}: {hosts[guid]} adapters" if hosts[guid] else name
        yield (
            f'<rect x="{spot.x}" y="{spot.y}" width="{BOX[0]}" height="{BOX[1]}" rx="2"'
            f" fill={quoteattr(colour)}><title>{escape(title)}</title></rect>"
        )
        if len(found.levels.at(found.levels.of[guid])) <= LABELLED:
            yield (
                f'<text transform="translate({spot.x + 9},{spot.y + BOX[1] + 6}) rotate(60)">'
                f"{escape(name)}</text>"
            )


def _rows(found: Audit) -> Iterator[str]:
    for level in range(1, found.levels.top + 1):
        y = MARGIN + (found.levels.top - level) * ROW + 12
        yield f'<text x="8" y="{y}">level {level}</text>'
