"""ibdiagnet2.db_csv: the nodes, ports and links of a fabric, as the scan that ibnetdiscover gives.

The file is a list of named tables. Four of them are read, by the names of their columns, as order
and spelling change between releases; the others only have to be whole. Versions of firmware are in
a table that not every run writes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sunk_fabric.parse.ibnetdiscover import Discovery, Kind, Node, PortLine
from sunk_fabric.parse.text import Content, Parsed, Reader, guid
from sunk_fabric.rates import Rate

_START, _END = re.compile(r"START_([A-Z0-9_]{1,60})"), re.compile(r"END_([A-Z0-9_]{1,60})")
_KINDS = {"1": Kind.CA, "2": Kind.SWITCH, "3": Kind.ROUTER}
_WIDTHS = {"1": 1, "2": 4, "4": 8, "8": 12, "16": 2}
_SPEEDS = {
    "1": "SDR",
    "2": "DDR",
    "4": "QDR",
    "256": "FDR",
    "512": "EDR",
    "1024": "HDR",
    "2048": "NDR",
    "65536": "FDR10",
    "16777216": "XDR",
}
"""Active speed: the standard's three, then the extended ones in the second byte, vendors' in the
third, the second extension in the fourth."""
_NEEDED = {
    "NODES": ("nodedesc", "numports", "nodetype", "nodeguid"),
    "PORTS": ("nodeguid", "portguid", "portnum", "lid", "linkwidthactv", "linkspeedactv"),
    "LINKS": ("nodeguid1", "portnum1", "nodeguid2", "portnum2"),
}
_OPTIONAL = {"NODES_INFO": ("nodeguid",)}
_VERSIONS = (
    ("fwinfo_extended_major", "fwinfo_extended_minor", "fwinfo_extended_subminor"),
    ("fwinfo_major", "fwinfo_minor", "fwinfo_subminor"),
)
"""Columns of a version, hexadecimal; the shorter ones are cut to a byte in newer switches."""
_ALIASES = {"portnumber": "portnum", "portnumber1": "portnum1", "portnumber2": "portnum2"}
_READ = _NEEDED | _OPTIONAL
_GUID, _NUMBER = re.compile(r"0x[0-9a-fA-F]{1,16}"), re.compile(r"\d{1,5}")
_HEXADECIMAL = re.compile(r"(?:0x)?[0-9a-fA-F]{1,8}")
Row = Mapping[str, str]


def parse(content: Content) -> Parsed[Discovery]:
    """Return nodes with their cabled ports; a table that is cut off or missing is damage."""
    reader = Reader(content)
    tables = _Tables(reader)
    for line in reader:
        if not tables.take(line):
            reader.unknown(line)
    tables.finish()
    nodes = _nodes(reader, tables.rows)
    firmware = dict(_firmware(tables.rows.get("NODES_INFO", ())))
    return reader.outcome(Discovery(generated="", nodes=nodes, firmware=firmware))


def _firmware(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        for columns in _VERSIONS:
            parts = [row.get(one, "") for one in columns]
            if all(_HEXADECIMAL.fullmatch(one) for one in parts):
                yield guid(row["nodeguid"]), ".".join(str(int(one, 16)) for one in parts)
                break


@dataclass
class _Tables:
    """Tables as they come; rows of those that are read, by the names of their columns."""

    reader: Reader
    name: str = ""
    columns: tuple[str, ...] = ()
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def take(self, line: str) -> bool:
        start, end = _START.fullmatch(line), _END.fullmatch(line)
        if start:
            if self.name:
                self.reader.damaged(f"the table {self.name} does not end")
            self.name, self.columns = start[1], ()
            return True
        if end:
            closes = end[1] == self.name
            self.name = "" if closes else self.name
            return closes
        if not self.name:
            return not line.strip() or line.startswith("#")
        if self.name in _READ:
            return self._row(line)
        return True

    def _row(self, line: str) -> bool:
        try:
            (cells,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError):
            return False
        if not self.columns:
            names = (one.strip().lower() for one in cells)
            self.columns = tuple(_ALIASES.get(one, one) for one in names)
            missing = sorted(set(_READ[self.name]) - set(self.columns))
            if missing:
                self.reader.damaged(f"the table {self.name} has no column {missing[0]}")
            self.rows.setdefault(self.name, [])
            return True
        if len(cells) != len(self.columns) or not set(_READ[self.name]) <= set(self.columns):
            return False
        row = dict(zip(self.columns, (one.strip() for one in cells), strict=True))
        if not _well_formed(row):
            return False
        self.rows[self.name].append(row)
        return True

    def finish(self) -> None:
        if self.name:
            self.reader.damaged(f"the table {self.name} does not end")
        for name in sorted(set(_NEEDED) - set(self.rows)):
            self.reader.damaged(f"there is no table {name}")


def _well_formed(row: Row) -> bool:
    guids = (
        row[name] for name in ("nodeguid", "portguid", "nodeguid1", "nodeguid2") if name in row
    )
    counted = ("numports", "portnum", "lid", "portnum1", "portnum2")
    numbers = (row[name] for name in counted if name in row)
    return all(_GUID.fullmatch(one) for one in guids) and all(
        _NUMBER.fullmatch(one) for one in numbers
    )


def _nodes(reader: Reader, rows: Mapping[str, list[Row]]) -> tuple[Node, ...]:
    ports = {(guid(one["nodeguid"]), int(one["portnum"])): one for one in rows.get("PORTS", ())}
    kinds = {guid(one["nodeguid"]): _KINDS.get(one["nodetype"]) for one in rows.get("NODES", ())}
    lines: dict[str, list[PortLine]] = {}
    for link in rows.get("LINKS", ()):
        ends = [(guid(link[f"nodeguid{side}"]), int(link[f"portnum{side}"])) for side in (1, 2)]
        for near, far in (ends, ends[::-1]):
            made = _port_line(reader, near, far, ports, kinds)
            if made is not None:
                lines.setdefault(near[0], []).append(made)
    found = []
    for row in rows.get("NODES", ()):
        own = guid(row["nodeguid"])
        kind = kinds[own]
        if kind is None:
            reader.damaged(f"the node {own} is of the unknown type {row['nodetype'][:8]!r}")
            continue
        cabled = sorted(lines.get(own, ()), key=lambda one: one.port)
        found.append(_node(reader, row, kind, tuple(cabled), ports.get((own, 0))))
    return tuple(found)


def _node(
    reader: Reader, row: Row, kind: Kind, cabled: tuple[PortLine, ...], own_port: Row | None
) -> Node:
    system = row.get("systemimageguid", "")
    return Node(
        kind=kind,
        guid=guid(row["nodeguid"]),
        system_guid=guid(system) if _GUID.fullmatch(system) else "",
        device_id=row.get("deviceid", "")[:16],
        port_count=int(row["numports"]),
        description=reader.description(row["nodedesc"]),
        lid=int(own_port["lid"]) if own_port is not None and kind is Kind.SWITCH else 0,
        ports=cabled,
    )


def _port_line(
    reader: Reader,
    near: tuple[str, int],
    far: tuple[str, int],
    ports: Mapping[tuple[str, int], Row],
    kinds: Mapping[str, Kind | None],
) -> PortLine | None:
    row, peer = ports.get(near), kinds.get(far[0])
    if row is None or peer is None or kinds.get(near[0]) is None:
        reader.damaged(f"the link {near[0]}[{near[1]}] has an end without a record")
        return None
    width, speed = _WIDTHS.get(row["linkwidthactv"]), _SPEEDS.get(row["linkspeedactv"])
    if width is None or speed is None:
        reader.damaged(f"the port {near[0]}[{near[1]}] has an unknown width or speed")
        return None
    is_ca = kinds[near[0]] is Kind.CA
    other = ports.get(far, row)
    return PortLine(
        port=near[1],
        peer_kind=peer,
        peer_guid=far[0],
        peer_port=far[1],
        rate=Rate(width, speed),
        port_guid=guid(row["portguid"]) if is_ca else "",
        lid=int(row["lid"] if is_ca else other["lid"]),
    )
