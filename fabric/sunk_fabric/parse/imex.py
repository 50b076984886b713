"""``nvidia-imex-ctl -N -j``: hosts that share memory of GPUs over NVLink."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One host as another sees it.

    Attributes:
        host: its address.
        status: ``CONNECTED``.
    """

    host: str = ""
    status: str = ""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One host of the domain.

    Attributes:
        status: ``READY``.
        host: its address.
        connections: number of the other -> how it is connected.
    """

    status: str = ""
    host: str = ""
    connections: Mapping[str, Connection] = {}


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """The domain.

    Attributes:
        status: ``UP``, ``DEGRADED``, ``DOWN``.
        nodes: number -> host.
    """

    status: str = ""
    nodes: Mapping[str, Member] = {}


def parse(content: Content) -> Parsed[Domain]:
    """Return the domain; one without a status or hosts is damage."""
    parsed = json_text.decode(content, Domain, Domain())
    if parsed.sound and not (parsed.value.status and parsed.value.nodes):
        words = ("it tells neither the domain's status nor its hosts",)
        return Parsed(value=Domain(), lines=parsed.lines, unknown=0, quoted=(), damage=words)
    return parsed
