"""``rdma -j link``: RDMA ports with the network device of each."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class RdmaLink(msgspec.Struct, frozen=True, kw_only=True):
    """One port.

    Attributes:
        ifname: the RDMA device, ``mlx5_0``.
        port: its number; iproute2 leaves it out for switches' port 0.
        state: ACTIVE, INIT, DOWN and more.
        physical_state: LINK_UP, POLLING, DISABLED and more; not told by some drivers.
        netdev: the network device; none for plain InfiniBand without IPoIB.
    """

    ifname: str
    port: int = 0
    state: str
    physical_state: str = ""
    netdev: str = ""


def parse(content: Content) -> Parsed[tuple[RdmaLink, ...]]:
    """Return the ports in the order of the output."""
    return json_text.decode(content, tuple[RdmaLink, ...], ())
