"""ibv_devinfo -v: verbs devices of one host with ports, MTU, speed and GIDs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sunk_fabric.parse.text import Content, Parsed, Reader, guid, printable


@dataclass(frozen=True, slots=True)
class Gid:
    """One entry of a port's GID table.

    Attributes:
        index: its place.
        gid: the address as printed.
        type: ``RoCE v2``, ``RoCE v1``; empty on InfiniBand.
    """

    index: int
    gid: str
    type: str


@dataclass(frozen=True, slots=True)
class Port:
    """One port.

    Attributes:
        number: from 1.
        state: PORT_ACTIVE, PORT_INIT, PORT_DOWN and more.
        link_layer: InfiniBand or Ethernet.
        max_mtu_bytes: what it could.
        active_mtu_bytes: what it does.
        lid: 0 on Ethernet.
        width: lanes; 0 when not printed.
        lane_gbit_per_s: of one lane; 0 when not printed.
        gids: sorted by index.
    """

    number: int
    state: str
    link_layer: str
    max_mtu_bytes: int
    active_mtu_bytes: int
    lid: int
    width: int
    lane_gbit_per_s: float
    gids: tuple[Gid, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """One verbs device.

    Attributes:
        name: ``mlx5_0``.
        firmware: its version.
        guid: of the node.
        board_id: ``MT_0000000838``.
        ports: sorted by number.
    """

    name: str
    firmware: str
    guid: str
    board_id: str
    ports: tuple[Port, ...]


@dataclass(slots=True)
class _Building:
    name: str
    values: dict[str, str] = field(default_factory=dict)
    ports: dict[int, dict[str, str]] = field(default_factory=dict)
    gids: dict[int, list[Gid]] = field(default_factory=dict)


_DEVICE = re.compile(r"hca_id:\s+(\S{1,64})")
_PORT = re.compile(r"\s+port:\s+(\d{1,3})")
_GID = re.compile(r"\s+GID\[\s*(\d{1,5})\]:\s+([0-9a-fA-F:.]{2,47})(?:, (.*))?")
_PAIR = re.compile(r"\s+([a-z][a-z0-9_ ]{1,50}):\s*(.*)")
# Capability flags and the like stand alone on lines of their own, deeper than their key.
_CONTINUED = re.compile(r"\s{3,}[A-Z][A-Z0-9_]*\s*|\s{3,}Unknown flags: .*|\s{3,}NO SUPPORT\s*")
_LACKS = re.compile(r"\t[a-z_ ]{1,40} not supported\s*")
_PORT_KEYS = ("state", "max_mtu", "active_mtu", "port_lid", "link_layer")


def parse(content: Content) -> Parsed[tuple[Device, ...]]:
    """Return the devices; one with a key too few is damage and left out."""
    reader = Reader(content)
    found: list[_Building] = []
    number = 0
    for line in reader:
        device, port, gid, pair = (one.fullmatch(line) for one in (_DEVICE, _PORT, _GID, _PAIR))
        if device:
            found.append(_Building(printable(device[1])))
            number = 0
        elif port and found:
            number = int(port[1])
            found[-1].ports[number] = {}
        elif gid and found and number:
            one = Gid(int(gid[1]), gid[2], printable(gid[3] or ""))
            found[-1].gids.setdefault(number, []).append(one)
        elif pair and found:
            into = found[-1].ports[number] if number else found[-1].values
            into[pair[1]] = printable(pair[2].strip())
        elif line.strip() and not (_CONTINUED.fullmatch(line) or _LACKS.fullmatch(line)):
            reader.unknown(line)
    built = (_device(reader, one) for one in found)
    return reader.outcome(tuple(one for one in built if one is not None))


def _device(reader: Reader, one: _Building) -> Device | None:
    if "node_guid" not in one.values or "phys_port_cnt" not in one.values:
        reader.damaged(f"{one.name} has no node_guid or no phys_port_cnt")
        return None
    if one.values["phys_port_cnt"] != str(len(one.ports)):
        reader.damaged(f"{one.name} has not the number of ports that it says")
        return None
    ports = [_port(reader, one, number) for number in sorted(one.ports)]
    return Device(
        one.name,
        one.values.get("fw_ver", ""),
        guid(one.values["node_guid"]),
        one.values.get("board_id", ""),
        tuple(port for port in ports if port is not None),
    )


def _port(reader: Reader, device: _Building, number: int) -> Port | None:
    values = device.ports[number]
    where = f"{device.name} port {number}"
    missing = [key for key in _PORT_KEYS if key not in values]
    if missing:
        reader.damaged(f"{where} has no {missing[0]}")
        return None
    numbers = {key: _number(values, key) for key in ("max_mtu", "active_mtu", "port_lid")}
    if None in numbers.values():
        reader.damaged(f"{where} has a value that is no number")
        return None
    width = re.match(r"(\d{1,2})X ", values.get("active_width", ""))
    lane = re.match(r"(\d{1,4}(?:\.\d{1,3})?) Gbps ", values.get("active_speed", ""))
    return Port(
        number,
        values["state"].partition(" ")[0],
        values["link_layer"],
        numbers["max_mtu"] or 0,
        numbers["active_mtu"] or 0,
        numbers["port_lid"] or 0,
        int(width[1]) if width else 0,
        float(lane[1]) if lane else 0.0,
        tuple(sorted(device.gids.get(number, []), key=lambda one: one.index)),
    )


def _number(values: Mapping[str, str], key: str) -> int | None:
    found = re.match(r"(\d{1,9})(?: |$)", values[key])
    return int(found[1]) if found else None
