"""``rdma -j system show``: whether RDMA devices belong to network namespaces.

iproute2 6.15 takes ``-j`` and prints words all the same.
"""

from __future__ import annotations

import re

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed

_WORDS = re.compile(rb"netns (shared|exclusive)((?: [a-z-]{1,40} (?:on|off)){0,9})\s*")


class RdmaSystem(msgspec.Struct, frozen=True, kw_only=True):
    """The mode.

    Attributes:
        netns: ``exclusive`` or ``shared``.
    """

    netns: str


def parse(content: Content) -> Parsed[tuple[RdmaSystem, ...]]:
    """Return the mode, the one entry of the list; or that of the words."""
    whole = content if isinstance(content, bytes) else b"".join(content)
    words = _WORDS.fullmatch(whole)
    if words is None:
        return json_text.decode(whole, tuple[RdmaSystem, ...], ())
    value = (RdmaSystem(netns=words[1].decode()),)
    return Parsed(value=value, lines=1, unknown=0, quoted=(), damage=())
