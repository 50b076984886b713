"""A list of intended links as CSV: what a point-to-point sheet of a data centre is exported as.

::

    from,from_port,to,to_port,rate,cable,from_place,to_place
    su1-leaf2,33,spine1,3,4xNDR,C0417,rack 12 U40,rack 30 U12
    gpu001 mlx5_1,1,su1-leaf2,1,,,rack 7 U3,rack 12 U40

The first four columns must be there; adapters are named as their node description is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable
from sunk_fabric.rates import BY_NAME, Rate

NEEDED = ("from", "from_port", "to", "to_port")
OPTIONAL = ("rate", "cable", "from_place", "to_place")


@dataclass(frozen=True, slots=True, order=True)
class Plug:
    """Where a cable is to go.

    Attributes:
        node: name of the switch, or host and device.
        port: its number.
    """

    node: str
    port: int

    def __str__(self) -> str:
        return f"{self.node} port {self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntendedLink:
    """One row.

    Attributes:
        ends: both plugs, sorted.
        rate: as planned; nothing when the list does not say.
        cable: its label; empty when the list does not say.
        places: plug -> rack and height in the list's words.
    """

    ends: tuple[Plug, Plug]
    rate: Rate | None = None
    cable: str = ""
    places: tuple[tuple[Plug, str], ...] = ()


_RATE = re.compile(r"(\d{1,2})[xX] ?([A-Z0-9]{1,8})")


def parse(content: Content) -> Parsed[tuple[IntendedLink, ...]]:
    """Return the rows; one that names no port is unknown, a plug that stands twice is damage."""
    reader = Reader(content)
    found: list[IntendedLink] = []
    used: set[Plug] = set()
    titles: list[str] = []
    for line in reader:
        if not line.strip() or line.startswith("#"):
            continue
        try:
            (cells,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError):
            reader.unknown(line)
            continue
        if not titles:
            titles = [one.strip().lower() for one in cells]
            _check_titles(reader, titles)
            continue
        row = dict(zip(titles, (one.strip() for one in cells), strict=False))
        link = _link(row) if len(cells) == len(titles) else None
        if link is None:
            reader.unknown(line)
            continue
        twice = used & set(link.ends)
        if twice:
            reader.damaged(f"{printable(str(min(twice)))} stands in two rows")
        used |= set(link.ends)
        found.append(link)
    return reader.outcome(tuple(found))


def _check_titles(reader: Reader, titles: list[str]) -> None:
    for name in NEEDED:
        if name not in titles:
            reader.damaged(f"the column {name} is missing")
    for name in titles:
        if name not in {*NEEDED, *OPTIONAL}:
            reader.damaged(f"the column {printable(name)} is none of {', '.join(OPTIONAL)}")


def _link(row: Mapping[str, str]) -> IntendedLink | None:
    if any(not row.get(name) for name in NEEDED):
        return None
    numbers = [re.fullmatch(r"\d{1,5}", row[name]) for name in ("from_port", "to_port")]
    rate = _RATE.fullmatch(row.get("rate", ""))
    if None in numbers or (row.get("rate") and (rate is None or rate[2] not in BY_NAME)):
        return None
    start = Plug(printable(row["from"]), int(row["from_port"]))
    end = Plug(printable(row["to"]), int(row["to_port"]))
    if start == end:
        return None
    places = ((start, row.get("from_place", "")), (end, row.get("to_place", "")))
    return IntendedLink(
        ends=(min(start, end), max(start, end)),
        rate=Rate(int(rate[1]), rate[2]) if rate else None,
        cable=printable(row.get("cable", "")),
        places=tuple((plug, printable(text)) for plug, text in places if text),
    )
