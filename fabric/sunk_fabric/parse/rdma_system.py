"""``rdma -j system show``: whether RDMA devices belong to network namespaces."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class RdmaSystem(msgspec.Struct, frozen=True, kw_only=True):
    """The mode.

    Attributes:
        netns: ``exclusive`` or ``shared``.
    """

    netns: str


def parse(content: Content) -> Parsed[tuple[RdmaSystem, ...]]:
    """Return the mode, the one entry of the list."""
    return json_text.decode(content, tuple[RdmaSystem, ...], ())
