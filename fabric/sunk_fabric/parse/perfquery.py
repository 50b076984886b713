"""perfquery: counters of one port, the usual and the extended ones (``-x``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.dotted import records
from sunk_fabric.parse.text import Content, Parsed, Reader


@dataclass(frozen=True, slots=True)
class PortCounters:
    """Counters of one port at one moment.

    Attributes:
        lid: of the node.
        port: its number; 255 stands for all.
        extended: whether these are the 64-bit ones.
        values: infiniband-diags' names.
    """

    lid: int
    port: int
    extended: bool
    values: Mapping[str, int]


_TITLE = re.compile(r"# (Port (?:extended )?counters: .*)")
_WHERE = re.compile(r"Port (extended )?counters: Lid (\d{1,5}) port (\d{1,5})(?: \(.*\))?")
_NO_COUNTERS = frozenset({"PortSelect", "CounterSelect", "CounterSelect2"})


def parse(content: Content) -> Parsed[tuple[PortCounters, ...]]:
    """Return every record of the text; values that are no numbers are damage."""
    reader = Reader(content)
    found = []
    for record in records(reader, _TITLE):
        where = _WHERE.fullmatch(record.title)
        if where is None:
            reader.damaged(f"the title {record.title!r} names no port")
            continue
        values = {}
        for name, text in record.values.items():
            if name in _NO_COUNTERS:
                continue
            if not re.fullmatch(r"\d{1,20}", text):
                reader.damaged(f"{name} of {record.title!r} is {text!r}, which is no number")
                continue
            values[name] = int(text)
        found.append(PortCounters(int(where[2]), int(where[3]), bool(where[1]), values))
    return reader.outcome(tuple(found))
