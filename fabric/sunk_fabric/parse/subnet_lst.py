"""opensm-subnet.lst and ibdiagnet2.lst: every cable with both its ends, one in a line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from sunk_fabric.parse.ibnetdiscover import Discovery, Kind, Node, PortLine
from sunk_fabric.parse.text import Content, Parsed, Reader, guid
from sunk_fabric.rates import Rate

_HEX = r"(?:0x)?[0-9a-fA-F]{1,16}"
_END = (
    rf"\{{ (SW|CA|CA-SW|Rt) Ports:([0-9a-fA-F]{{1,4}}) SystemGUID:({_HEX}) NodeGUID:({_HEX})"
    rf" PortGUID:({_HEX}) VenID:{_HEX} DevID:({_HEX}) Rev:{_HEX} \{{(.{{0,200}}?)\}}"
    r" LID:([0-9a-fA-F]{1,4}) PN:([0-9a-fA-F]{1,4}) \}"
)
_LINE = re.compile(rf"{_END} {_END} PHY=(\d{{1,2}})x LOG=([A-Z]{{3}}) SPD=([\w.]{{1,8}})\s*")
_KINDS = {"SW": Kind.SWITCH, "CA": Kind.CA, "CA-SW": Kind.CA, "Rt": Kind.ROUTER}
_SPEEDS = {
    **{"2.5": "SDR", "5": "DDR", "10": "QDR", "14": "FDR", "25": "EDR", "50": "HDR"},
    **{"100": "NDR", "200": "XDR", "FDR10": "FDR10"},
}
"""Gb/s of a lane, as these files write it."""


_Cable = tuple[str, str, str, str]


@dataclass(slots=True)
class _Building:
    node: Node
    ports: dict[int, PortLine] = field(default_factory=dict)


def parse(content: Content) -> Parsed[Discovery]:
    """Return nodes with their cabled ports; a speed that nobody knows is damage."""
    reader = Reader(content)
    found: dict[str, _Building] = {}
    seen: set[_Cable] = set()
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            if line.strip():
                reader.unknown(line)
            continue
        width, state, speed = match[19], match[20], match[21]
        generation = _SPEEDS.get(speed)
        if generation is None:
            reader.damaged(f"line {reader.number}: the speed {speed} is not known")
            continue
        if state == "DWN":
            continue
        ends = (match.groups()[0:9], match.groups()[9:18])
        rate = Rate(int(width), generation)
        seen.add((guid(match[4]), match[9], guid(match[13]), match[18]))
        for near, far in (ends, ends[::-1]):
            _add(reader, found, near, far, rate)
    if reader.number and not found:
        reader.damaged("there is no cable")
    _both_ends(reader, seen)
    nodes = tuple(
        replace(one.node, ports=tuple(one.ports[port] for port in sorted(one.ports)))
        for one in found.values()
    )
    return reader.outcome(Discovery(generated="", nodes=nodes))


def _both_ends(reader: Reader, seen: set[_Cable]) -> None:
    """Note cables that stand once, where others stand at both ends: the text is cut."""
    once = [one for one in sorted(seen) if (*one[2:], *one[:2]) not in seen]
    if len(once) < len(seen):
        for own, port, _, _ in once[:5]:
            reader.damaged(f"the cable {own}[{port}] does not stand at its other end")


def _add(
    reader: Reader,
    found: dict[str, _Building],
    near: tuple[str, ...],
    far: tuple[str, ...],
    rate: Rate,
) -> None:
    kind, ports, system, own, port_guid, device, description, lid, number = near
    here = _KINDS[kind]
    name = guid(own)
    port = int(number, 16)
    if name not in found:
        found[name] = _Building(
            Node(
                here,
                name,
                guid(system),
                f"0x{int(device, 16):x}",
                int(ports, 16),
                reader.description(description),
                int(lid, 16) if here is Kind.SWITCH else 0,
                (),
            )
        )
    line = PortLine(
        port,
        _KINDS[far[0]],
        guid(far[3]),
        int(far[8], 16),
        rate,
        guid(port_guid) if here is not Kind.SWITCH else "",
        int((lid if here is not Kind.SWITCH else far[7]), 16),
    )
    before = found[name].ports.get(port)
    if before is not None and (before.peer_guid, before.peer_port) != (
        line.peer_guid,
        line.peer_port,
    ):
        reader.damaged(f"line {reader.number}: port {port} of {name} has two peers")
    found[name].ports[port] = line
