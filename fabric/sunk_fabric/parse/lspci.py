"""lspci -vv (as root): link capability and state, payload sizes, ordering, access control."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sunk_fabric.parse.text import Content, Parsed, Reader, printable


@dataclass(frozen=True, slots=True)
class PciLink:
    """Speed and width of a link.

    Attributes:
        speed_gt_per_s: 10⁹ transfers per second and lane.
        width: lanes.
    """

    speed_gt_per_s: float
    width: int

    def __str__(self) -> str:
        return f"{self.speed_gt_per_s:g} GT/s x{self.width}"


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One function.

    Attributes:
        address: with its domain, ``0000:9c:00.0``.
        kind: its class in words, ``Infiniband controller``.
        name: vendor and model, safe to show.
        capable: what the link could; nothing without the line.
        active: what it does; nothing without the line.
        max_payload_bytes: as set; nothing without the line.
        max_read_request_bytes: as set; nothing without the line.
        relaxed_ordering: as set; nothing without the line.
        access_control: whether ACS validates sources; nothing without the capability.
        denied: whether the tool was not allowed to read the capabilities.
    """

    address: str
    kind: str
    name: str
    capable: PciLink | None
    active: PciLink | None
    max_payload_bytes: int | None
    max_read_request_bytes: int | None
    relaxed_ordering: bool | None
    access_control: bool | None
    denied: bool


@dataclass(slots=True)
class _Building:
    address: str
    kind: str
    name: str
    lines: list[str] = field(default_factory=list)


_DEVICE = re.compile(
    r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) ([^:]{1,80})(?: \[[0-9a-f]{4}\])?: (.*)"
)
_LINK = re.compile(r"Speed ([0-9.]{1,5})GT/s(?: \(\w+\))?, Width x(\d{1,2})\b")
_PAYLOAD = re.compile(r"MaxPayload (\d{1,5}) bytes, MaxReadReq (\d{1,5}) bytes")
_INTERESTING = (
    "LnkCap:",
    "LnkSta:",
    "DevCtl:",
    "MaxPayload",
    "ACSCtl:",
    "RlxdOrd",
    "Capabilities: <a",
)


def parse(content: Content) -> Parsed[tuple[PciDevice, ...]]:
    """Return the functions in the order of the text.

    Indented lines about other capabilities are the tool's and no concern of ours.
    """
    reader = Reader(content)
    found: list[_Building] = []
    for line in reader:
        head = _DEVICE.fullmatch(line)
        if head:
            domain = (head[1] or "0000")[-4:]
            name = printable(head[4])
            found.append(_Building(f"{domain}:{head[2]}", printable(head[3]), name))
        elif line[:1].isspace() and found:
            if any(word in line for word in _INTERESTING):
                found[-1].lines.append(line.strip())
        elif line.strip():
            reader.unknown(line)
    if reader.number and not found:
        reader.damaged("there is no PCI function")
    return reader.outcome(tuple(_device(one) for one in found))


def _device(one: _Building) -> PciDevice:
    text = "\n".join(one.lines)
    payload = _PAYLOAD.search(text)
    ordering = re.search(r"RlxdOrd([+-])", text)
    control = re.search(r"ACSCtl:\s*SrcValid([+-])", text)
    return PciDevice(
        one.address,
        one.kind,
        one.name,
        _link(one.lines, "LnkCap:"),
        _link(one.lines, "LnkSta:"),
        int(payload[1]) if payload else None,
        int(payload[2]) if payload else None,
        ordering[1] == "+" if ordering else None,
        control[1] == "+" if control else None,
        "Capabilities: <access denied>" in text,
    )


def _link(lines: list[str], mark: str) -> PciLink | None:
    for line in lines:
        found = _LINK.search(line) if line.startswith(mark) else None
        if found and re.fullmatch(r"\d+(?:\.\d+)?", found[1]):
            return PciLink(float(found[1]), int(found[2]))
    return None
