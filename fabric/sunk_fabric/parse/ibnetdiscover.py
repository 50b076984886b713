"""ibnetdiscover: every node of a subnet with its cabled ports (also with ``--full``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sunk_fabric.parse.text import Content, Parsed, Reader, guid, printable
from sunk_fabric.rates import BY_NAME, Rate


class Kind(StrEnum):
    """What a node is."""

    CA = "ca"
    SWITCH = "switch"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class PortLine:
    """One cabled port as its own node lists it.

    Attributes:
        port: its number.
        peer_kind: what the far node is.
        peer_guid: the far node.
        peer_port: the far port's number.
        rate: width and generation, as printed on this line.
        port_guid: GUID of this port, for CAs; else empty.
        lid: LID of this port, for CAs; that of the far side, for switches.
    """

    port: int
    peer_kind: Kind
    peer_guid: str
    peer_port: int
    rate: Rate
    port_guid: str
    lid: int


@dataclass(frozen=True, slots=True)
class Node:
    """One record.

    Attributes:
        kind: CA, switch or router.
        guid: the node's GUID.
        system_guid: the system image GUID, equal for parts of one machine; empty when not told.
        device_id: PCI device id, such as ``0x1021``; empty when not told.
        port_count: how many ports it has.
        description: NodeDescription, safe to show.
        lid: of a switch; 0 for others, whose ports have LIDs.
        ports: the cabled ones, in the order of the text.
    """

    kind: Kind
    guid: str
    system_guid: str
    device_id: str
    port_count: int
    description: str
    lid: int
    ports: tuple[PortLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What one run saw.

    Attributes:
        generated: when, as the tool wrote it; empty when not told.
        nodes: in the order of the text.
        firmware: GUID of a node -> its version, where the tool told some.
    """

    generated: str
    nodes: tuple[Node, ...]
    firmware: Mapping[str, str] = field(default_factory=dict)


_KINDS = {
    "Switch": Kind.SWITCH,
    "Ca": Kind.CA,
    "Rt": Kind.ROUTER,
    "S": Kind.SWITCH,
    "H": Kind.CA,
    "R": Kind.ROUTER,
}
_HEX = r"[0-9a-fA-F]{1,16}"
_HEADER = re.compile(rf'(Switch|Ca|Rt)\t(\d{{1,5}}) "([SHR])-({_HEX})"\s+# "(.*)"(.*)', re.DOTALL)
_SWITCH_TAIL = re.compile(r" (?:base|enhanced) port 0 lid (\d{1,5}) lmc \d{1,2}\s*")
_RATE = r"(\d{1,2})x([A-Z0-9?]{1,8})(?: s=\d+ w=\d+ v=\d+(?: m=\d+)?)?\s*"
_PEER = (
    rf'\[(\d{{1,5}})\](?:\[ext \d+\])?(?:\(({_HEX})\))?\s+"([SHR])-({_HEX})"'
    rf"\[(\d{{1,5}})\](?:\[ext \d+\])?(?:\({_HEX}\))?\s+#\s+"
)
_PORT = re.compile(rf'{_PEER}(?:lid (\d{{1,5}}) lmc \d{{1,2}} )?"(.*)" lid (\d{{1,5}}) {_RATE}')
_FIELD = re.compile(
    rf"(vendid|devid|sysimgguid|switchguid|caguid|rtguid)=(0x{_HEX})(?:\(({_HEX})\))?"
)
_OWN_GUIDS = frozenset({"switchguid", "caguid", "rtguid"})
_GENERATED = "# Topology file: generated on "
_GROUPING = re.compile(r"Chassis \d+(?: \(guid 0x[0-9a-f]+\))?|DDR port is not .*")


def parse(content: Content) -> Parsed[Discovery]:
    """Return what the text of one run says; every link must stand at both of its ends."""
    reader = Reader(content)
    building = _Building(reader)
    generated = ""
    for line in reader:
        if line.startswith(_GENERATED):
            generated = printable(line.removeprefix(_GENERATED))
        elif not building.take(line):
            reader.unknown(line)
    nodes = tuple(building.finish())
    _check_ends(reader, nodes)
    return reader.outcome(Discovery(generated=generated, nodes=nodes))


@dataclass(slots=True)
class _Building:
    """Records as they come: fields first, then the header, then ports."""

    reader: Reader
    fields: dict[str, str] = field(default_factory=dict)
    header: tuple[Kind, int, str, str, int] | None = None
    ports: list[PortLine] = field(default_factory=list)
    done: list[Node] = field(default_factory=list)

    def take(self, line: str) -> bool:
        if line.startswith("["):
            return self._port(line)
        if not line or line.startswith("#"):
            return True
        found = _FIELD.fullmatch(line)
        if found:
            if self.header is not None:
                self._close()
            self.fields[found[1]] = found[2]
            return True
        if line.startswith(("Switch\t", "Ca\t", "Rt\t")):
            return self._open(line)
        return _GROUPING.fullmatch(line) is not None

    def _open(self, line: str) -> bool:
        found = _HEADER.fullmatch(line)
        if found is None or _KINDS[found[1]] is not _KINDS[found[3]]:
            return False
        tail = _SWITCH_TAIL.fullmatch(found[6])
        if tail is None and (found[1] == "Switch" or found[6].strip()):
            return False
        if self.header is not None:
            self._close()
        own = guid(found[4])
        told = [guid(value) for name, value in self.fields.items() if name in _OWN_GUIDS]
        if told not in ([], [own]):
            self.reader.damaged(f"line {self.reader.number}: two GUIDs for {own}")
        lid = int(tail[1]) if tail else 0
        text = self.reader.description(found[5])
        self.header = (_KINDS[found[1]], int(found[2]), own, text, lid)
        return True

    def _port(self, line: str) -> bool:
        found = _PORT.fullmatch(line)
        if found is None or self.header is None:
            return False
        is_ca = self.header[0] is Kind.CA
        if is_ca != bool(found[6]) and self.header[0] is not Kind.ROUTER:
            return False
        name = found[10] if found[10] in BY_NAME else ""
        if not name and found[10] != "???":
            return False
        self.reader.description(found[7])
        self.ports.append(
            PortLine(
                port=int(found[1]),
                peer_kind=_KINDS[found[3]],
                peer_guid=guid(found[4]),
                peer_port=int(found[5]),
                rate=Rate(int(found[9]), name),
                port_guid=guid(found[2]) if found[2] else "",
                lid=int(found[6] or found[8]),
            )
        )
        return True

    def _close(self) -> None:
        assert self.header is not None
        kind, count, own, description, lid = self.header
        self.done.append(
            Node(
                kind=kind,
                guid=own,
                system_guid=guid(self.fields.get("sysimgguid", ""))
                if "sysimgguid" in self.fields
                else "",
                device_id=self.fields.get("devid", ""),
                port_count=count,
                description=description,
                lid=lid,
                ports=tuple(self.ports),
            )
        )
        self.header, self.fields, self.ports = None, {}, []

    def finish(self) -> Iterator[Node]:
        if self.header is not None:
            self._close()
        elif self.fields:
            self.reader.damaged("the last record is cut off")
        yield from self.done


def _check_ends(reader: Reader, nodes: tuple[Node, ...]) -> None:
    """Note links that stand at one end only: a text cut at a record's end shows nothing else.

    Links of a GUID with two records cannot be told apart here; the audit reports the GUID.
    """
    records = Counter(one.guid for one in nodes)
    ends = {(one.guid, line.port): line for one in nodes for line in one.ports}
    for (own, number), line in ends.items():
        back = ends.get((line.peer_guid, line.peer_port))
        if line.peer_guid not in records:
            reader.damaged(f"{line.peer_guid} stands in a link and has no record")
        elif records[own] > 1 or records[line.peer_guid] > 1:
            continue
        elif back is None:
            reader.damaged(f"the link {own}[{number}] does not stand at its other end")
        elif (back.peer_guid, back.peer_port) != (own, number):
            reader.damaged(f"the ends of the link {own}[{number}] name different peers")
