"""ibdmchk: routes that opensm dumped, followed by another program, and its word on credit loops.

It may crash after its last line; what counts is that line, not the exit code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCheck:
    """What one run says.

    Attributes:
        pairs: of adapters that it followed a way between; nothing when it does not say.
        hops: cables on a way -> how many pairs, by the tables.
        loops: whether cables can wait for each other in a circle; nothing when it does not say.
        errors: what it calls an error, safe to show.
    """

    pairs: int | None
    hops: Mapping[int, int]
    loops: bool | None
    errors: tuple[str, ...]


_TITLE = re.compile(r"-{4,60} ?([A-Z][^-].{0,80}?) ?-{2,60}")
_RULE = re.compile(r"-{20,100}")
_ROW = re.compile(r" *(\d{1,3}) +(\d{1,12})")
_PAIRS = re.compile(r"-I- Scanned:(\d{1,12}) CA to CA paths ?")
_NO_LOOPS, _LOOPS = "-I- no credit loops found", "-E- credit loops in routing"
_ROUTE_HOPS = "LFT ROUTE HOP HISTOGRAM"
_OWN = ("-I- ", "-W- ", "-E- ", " ", "Found credit loop on: ")


def parse(content: Content) -> Parsed[RouteCheck]:
    """Return its figures and its word; a text without that word is damage."""
    reader = Reader(content)
    title, pairs, loops = "", None, None
    hops: dict[int, int] = {}
    errors: list[str] = []
    for line in reader:
        head, row = _TITLE.fullmatch(line), _ROW.fullmatch(line)
        counted = _PAIRS.fullmatch(line)
        if head:
            title = head[1]
        elif _RULE.fullmatch(line):
            title = ""
        elif title and not line.startswith(_OWN[:3]):
            if row and _ROUTE_HOPS in title:
                hops[int(row[1])] = int(row[2])
        elif line.strip() and not line.startswith(_OWN):
            reader.unknown(line)
        if counted:
            pairs = int(counted[1])
        loops = {_NO_LOOPS: False, _LOOPS: True}.get(line.rstrip(), loops)
        if line.startswith("-E- "):
            errors.append(printable(line.removeprefix("-E- ")))
    if reader.number and loops is None:
        reader.damaged("it says nothing of credit loops: it did not get to its end")
    return reader.outcome(
        RouteCheck(pairs=pairs, hops=hops, loops=loops, errors=tuple(errors[:100]))
    )
