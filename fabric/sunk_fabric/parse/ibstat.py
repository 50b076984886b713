"""ibstat: the channel adapters of one host with their ports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sunk_fabric.parse.text import Content, Parsed, Reader, guid, printable


@dataclass(frozen=True, slots=True)
class Port:
    """One port.

    Attributes:
        number: from 1.
        state: Active, Armed, Initializing or Down.
        physical: LinkUp, Polling, Disabled and more.
        rate_gbit_per_s: 10⁹ bits per second.
        lid: base LID; 0 when the subnet manager gave none.
        sm_lid: LID of the subnet manager.
        guid: of the port.
        link_layer: InfiniBand or Ethernet.
    """

    number: int
    state: str
    physical: str
    rate_gbit_per_s: float
    lid: int
    sm_lid: int
    guid: str
    link_layer: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """One channel adapter.

    Attributes:
        name: the device, ``mlx5_0``.
        type: ``MT4129``.
        firmware: its version.
        guid: of the node.
        ports: sorted by number.
    """

    name: str
    type: str
    firmware: str
    guid: str
    ports: tuple[Port, ...]


@dataclass(slots=True)
class _Building:
    name: str
    values: dict[str, str] = field(default_factory=dict)
    ports: dict[int, dict[str, str]] = field(default_factory=dict)


_ADAPTER = re.compile(r"CA '([^']{1,64})'")
_PORT = re.compile(r"\tPort (\d{1,3}):")
_PAIR = re.compile(r"(\t{1,2})([A-Z][A-Za-z ]{1,40}): ?(.*)")
_PORT_KEYS = (
    *("State", "Physical state", "Rate", "Base lid", "SM lid"),
    *("Port GUID", "Link layer"),
)
_ADAPTER_KEYS = ("CA type", "Number of ports", "Firmware version", "Node GUID")


def parse(content: Content) -> Parsed[tuple[Adapter, ...]]:
    """Return the adapters; one with a key or a port too few is damage and left out."""
    reader = Reader(content)
    found: list[_Building] = []
    into: dict[str, str] | None = None
    for line in reader:
        adapter, port, pair = (one.fullmatch(line) for one in (_ADAPTER, _PORT, _PAIR))
        if adapter:
            found.append(_Building(printable(adapter[1])))
            into = None
        elif port and found:
            into = found[-1].ports.setdefault(int(port[1]), {})
        elif pair and found and (len(pair[1]) == 2) == (into is not None):
            (found[-1].values if into is None else into)[pair[2]] = printable(pair[3].strip())
        elif line.strip():
            reader.unknown(line)
    built = (_adapter(reader, one) for one in found)
    return reader.outcome(tuple(one for one in built if one is not None))


def _adapter(reader: Reader, one: _Building) -> Adapter | None:
    missing = [key for key in _ADAPTER_KEYS if key not in one.values]
    if missing:
        reader.damaged(f"{one.name} has no {missing[0]!r}")
        return None
    if one.values["Number of ports"] != str(len(one.ports)):
        reader.damaged(f"{one.name} has not the number of ports that it says")
        return None
    ports = [_port(reader, one.name, number, one.ports[number]) for number in sorted(one.ports)]
    return Adapter(
        one.name,
        one.values["CA type"],
        one.values["Firmware version"],
        guid(one.values["Node GUID"]),
        tuple(port for port in ports if port is not None),
    )


def _port(reader: Reader, name: str, number: int, values: Mapping[str, str]) -> Port | None:
    where = f"{name} port {number}"
    missing = [key for key in _PORT_KEYS if key not in values]
    if missing:
        reader.damaged(f"{where} has no {missing[0]!r}")
        return None
    # "40 (FDR10)" has the number first.
    rate = re.fullmatch(r"(\d{1,5}(?:\.\d)?)(?: \(.*\))?", values["Rate"])
    lids = [re.fullmatch(r"\d{1,5}", values[key]) for key in ("Base lid", "SM lid")]
    if rate is None or None in lids:
        reader.damaged(f"{where} has a value that is no number")
        return None
    return Port(
        number,
        values["State"],
        values["Physical state"],
        float(rate[1]),
        int(values["Base lid"]),
        int(values["SM lid"]),
        guid(values["Port GUID"]),
        values["Link layer"],
    )
