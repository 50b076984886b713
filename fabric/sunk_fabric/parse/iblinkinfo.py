"""iblinkinfo: every port of every node with state, width, speed and the tool's hints."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, guid, printable
from sunk_fabric.rates import Rate, generation_of_lane


@dataclass(frozen=True, slots=True)
class LinkLine:
    """One port.

    Attributes:
        guid: of the node (switches) or of the port (CAs).
        description: the node's, safe to show.
        lid: of the node or port.
        port: its number.
        rate: active width and generation; nothing when the port is down.
        state: logical state: Active, Armed, Initialize, Down.
        physical: physical state: LinkUp, Polling, Disabled and more.
        peer_lid: of the far side; nothing when there is no peer.
        peer_port: the far port; nothing when there is no peer.
        peer_description: the far node's, safe to show; empty without a peer.
        hint: what the tool adds, such as ``Could be 106.25 Gbps``; a hint, no verdict.
    """

    guid: str
    description: str
    lid: int
    port: int
    rate: Rate | None
    state: str
    physical: str
    peer_lid: int | None
    peer_port: int | None
    peer_description: str
    hint: str


_HEADER = re.compile(r"(?:Switch: (0x[0-9a-fA-F]{1,16}) |(CA: |Router: ))(.*):")
# Possessive quantifiers: a line of nothing but blanks must not be tried in every division.
_MIDDLE = (
    r"(\d{1,5}) ++(\d{1,5})\[ *+\d*+ *+\] ==\( *+(?:(\d{1,2})X ++([0-9.]{1,12}) Gbps ++)?"
    r"(\w++)/ *+(\w++)\)==> ++(?:(?:(0x[0-9a-fA-F]{1,16}) ++)?(\d{1,5}) ++(\d{1,5}))?"
    r"\[ *+\d*+ *+\] \"(.*)\" \(([^()]*+)\)"
)
_PORT = re.compile(rf" ++(?:(0x[0-9a-fA-F]{{1,16}}) ++)?{_MIDDLE}")
_ONE_LINE = re.compile(rf'(0x[0-9a-fA-F]{{1,16}}) "([^"]*+)" ++{_MIDDLE}')
_NO_PEER = re.compile(r'==> ++"Port not available" *+$')
"""A link is up, and what is at its far end did not answer, or has the GUID of another node."""
STATES = frozenset({"Active", "Armed", "Initialize", "Down"})


def parse(content: Content) -> Parsed[tuple[LinkLine, ...]]:
    """Return the ports of either form, the usual one and ``--line``."""
    reader = Reader(content)
    found: list[LinkLine] = []
    own_guid, own_text = "", ""
    for line in reader:
        header = _HEADER.fullmatch(line)
        if header:
            own_guid = guid(header[1]) if header[1] else ""
            own_text = reader.description(header[3])
            continue
        if not line.strip():
            continue
        whole_line = _NO_PEER.sub('==> [  ] "" ( )', line)
        port = _PORT.fullmatch(whole_line)
        whole = None if port else _ONE_LINE.fullmatch(whole_line)
        if port:
            name = guid(port[1]) if port[1] else own_guid
            one = _line(reader, name, own_text, port.groups()[1:])
        elif whole:
            text = reader.description(whole[2].strip())
            one = _line(reader, guid(whole[1]), text, whole.groups()[2:])
        else:
            one = None
        if one is None:
            reader.unknown(line)
        else:
            found.append(one)
    return reader.outcome(tuple(found))


def _line(
    reader: Reader, name: str, description: str, parts: tuple[str | None, ...]
) -> LinkLine | None:
    lid, port, width, lane, state, physical, _, peer_lid, peer_port, peer, hint = parts
    rate = None
    if width and lane:
        if not re.fullmatch(r"\d+(?:\.\d+)?", lane):
            return None
        rate = Rate(int(width), generation_of_lane(float(lane)))
    if not name or state not in STATES or (state == "Active" and rate is None):
        return None
    return LinkLine(
        guid=name,
        description=description,
        lid=int(lid or 0),
        port=int(port or 0),
        rate=rate,
        state=state or "",
        physical=physical or "",
        peer_lid=int(peer_lid) if peer_lid else None,
        peer_port=int(peer_port) if peer_port else None,
        peer_description=reader.description(peer or ""),
        hint=printable((hint or "").strip()),
    )
