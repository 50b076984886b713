"""Variables PCIDEVICE_* of a Pod: what the SR-IOV device plugin granted its first process."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sunk_fabric.parse.text import Content, Parsed, Reader

_NONE = "no variable PCIDEVICE_*"
_LINE = re.compile(r"(PCIDEVICE_[A-Z0-9_.-]{1,200})=(.{0,4000})")
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def parse(content: Content) -> Parsed[Mapping[str, tuple[str, ...]]]:
    """Return variable -> PCI addresses; those with JSON beside them, ``_INFO``, are left out."""
    reader = Reader(content)
    found: dict[str, tuple[str, ...]] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if line == _NONE:
            continue
        if match is None:
            reader.unknown(line)
        elif not match[1].endswith("_INFO"):
            addresses = tuple(one.strip() for one in match[2].split(",") if one.strip())
            if not addresses or not all(_ADDRESS.fullmatch(one) for one in addresses):
                reader.unknown(line)
            found[match[1]] = addresses
    return reader.outcome(found)
