"""``ip -d -j link``: network devices with MTU, state and virtual functions."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class VirtualFunction(msgspec.Struct, frozen=True, kw_only=True):
    """One VF as its PF lists it.

    Attributes:
        vf: its number.
        spoofchk: whether the card drops frames with a foreign sender.
        link_state: auto, enable or disable.
        trust: whether the guest may change modes.
        node_guid: on InfiniBand; empty on Ethernet.
        port_guid: on InfiniBand; empty on Ethernet.
    """

    vf: int
    spoofchk: bool | None = None
    link_state: str = ""
    trust: bool | None = None
    node_guid: str = msgspec.field(name="node guid", default="")
    port_guid: str = msgspec.field(name="port guid", default="")


class NetDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One network device.

    Attributes:
        ifname: its name.
        mtu: bytes.
        operstate: UP, DOWN, UNKNOWN and more.
        link_type: ether, infiniband, loopback.
        vfinfo_list: virtual functions, for a PF.
    """

    ifname: str
    mtu: int
    operstate: str
    link_type: str = ""
    vfinfo_list: tuple[VirtualFunction, ...] = ()


def parse(content: Content) -> Parsed[tuple[NetDevice, ...]]:
    """Return the devices in the order of the output."""
    return json_text.decode(content, tuple[NetDevice, ...], ())
