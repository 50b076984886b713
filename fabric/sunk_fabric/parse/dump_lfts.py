"""Forwarding tables of switches: dump_lfts, dump_fts, ibroute, and opensm's own dump of them.

A large fabric has half a gigabyte of this text. It is read as it comes, and kept as one byte for
every switch and LID.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, guid

NOWHERE = 255
"""The port of a LID that a switch has no way to; InfiniBand architecture, LinearForwardingTable."""
LIDS = 0xC000
"""Unicast LIDs, 0 included; those above are multicast."""
BLOCK = 64
"""LIDs in one packet. infiniband-diags prints whole packets up to the last LID and leaves that one
out when it begins a packet: nothing is told of LID 1216 in a dump of 0x0-0x4c0."""


@dataclass(frozen=True, slots=True)
class Table:
    """What one switch does with packets.

    Attributes:
        guid: of the switch.
        name: its description, safe to show.
        ports: at every LID from 0 the port that packets leave by; 0 is the switch itself,
            `NOWHERE` and what is beyond the end is no way.
        last: the last LID that the text tells of.
    """

    guid: str
    name: str
    ports: bytes
    last: int


_HEADER = re.compile(
    r"Unicast lids \[(?:0x0-(0x[0-9a-f]{1,5})|0-(\d{1,5}))\] of switch .{1,400}?"
    r" guid 0x([0-9a-fA-F]{1,16}) \((.*)\):"
)
_ROW = re.compile(r"0x([0-9a-f]{4}) (\d{3})(?: [:#] .*| ?)")
_FOOTER = re.compile(r"(\d{1,5}) (valid )?lids dumped ?")
"""infiniband-diags count the LIDs that have a way; opensm all that are in use."""
_COLUMNS = frozenset({"  Lid  Out   Destination", "       Port     Info "})
_REPLACED = re.compile(r"\*\*\* WARNING \*\*\*: this command has been replaced by \w+")


def parse(content: Content) -> Parsed[tuple[Table, ...]]:
    """Return the tables in the order of the text; each must end with the count of its LIDs."""
    reader = Reader(content)
    building = _Building(reader)
    match_row, put = _ROW.fullmatch, building.put
    for line in reader:
        row = match_row(line)
        if row is not None:
            put(int(row[1], 16), int(row[2]))
        elif not building.take(line):
            reader.unknown(line)
    return reader.outcome(building.finish())


def _last(diagnostics: str | None, manager: str | None) -> int:
    if diagnostics is None:
        return int(manager or 0)
    top = int(diagnostics, 16)
    return top if top % BLOCK else top - 1


class _Building:
    """Tables as they come: a header, rows, and the count that shows that none is lost."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._done: list[Table] = []
        self._guids: set[str] = set()
        self._open: tuple[str, str, int] | None = None
        self._ports = bytearray()
        self._ways = 0

    def put(self, lid: int, port: int) -> None:
        ports, missing = self._ports, lid - len(self._ports)
        if self._open is None or missing < 0 or lid >= LIDS or port > NOWHERE:
            self._wrong_row(lid, port)
            return
        if missing:
            ports.extend(bytes([NOWHERE]) * missing)
        ports.append(port)
        self._ways += port != NOWHERE

    def _wrong_row(self, lid: int, port: int) -> None:
        why = "stands below no switch" if self._open is None else "is out of order or range"
        self._reader.damaged(f"line {self._reader.number}: LID {lid} at port {port} {why}")

    def take(self, line: str) -> bool:
        """Take what is no row; return whether it was anything known."""
        header = _HEADER.fullmatch(line)
        if header is not None:
            self._require_closed()
            text = self._reader.description(header[4].strip("'"))
            self._open = (guid(header[3]), text, _last(header[1], header[2]))
            return True
        footer = _FOOTER.fullmatch(line)
        if footer is not None:
            self._close(int(footer[1]), ways_only=footer[2] is not None)
            return True
        return not line or line in _COLUMNS or _REPLACED.fullmatch(line) is not None

    def _require_closed(self) -> None:
        if self._open is not None:
            self._reader.damaged(f"the table of {self._open[0]} is cut off")
            self._ports, self._ways = bytearray(), 0

    def _close(self, count: int, *, ways_only: bool) -> None:
        if self._open is None:
            self._reader.damaged(f"line {self._reader.number}: a count of LIDs below no switch")
            return
        name, text, last = self._open
        found = self._ways if ways_only else last
        if count != found:
            self._reader.damaged(f"the table of {name} has {found} LIDs, and says {count}")
        if name in self._guids:
            self._reader.damaged(f"the switch {name} has two tables")
        else:
            self._done.append(Table(name, text, bytes(self._ports), last))
        self._guids.add(name)
        self._open, self._ports, self._ways = None, bytearray(), 0

    def finish(self) -> tuple[Table, ...]:
        self._require_closed()
        if self._reader.number and not self._done:
            self._reader.damaged("there is no table")
        return tuple(self._done)
