"""ethtool -S NETDEV: the driver's counters; a line ``# NETDEV`` stands before each device's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sunk_fabric.parse.text import Content, Parsed, Reader

_HEAD = re.compile(r"# ([\w.@-]{1,64})")
_LINE = re.compile(r"\s+([\w\[\]. -]{1,80}): (\d{1,20})")


def parse(content: Content) -> Parsed[Mapping[str, Mapping[str, int]]]:
    """Return network device -> counter -> value."""
    reader = Reader(content)
    found: dict[str, dict[str, int]] = {}
    one: dict[str, int] | None = None
    for line in reader:
        head, counter = _HEAD.fullmatch(line), _LINE.fullmatch(line)
        if head:
            one = found.setdefault(head[1], {})
        elif counter and one is not None:
            one[counter[1].strip()] = int(counter[2])
        elif line.strip() != "NIC statistics:" or one is None:
            reader.unknown(line)
    for name, counters in found.items():
        if not counters:
            reader.damaged(f"{name} tells no counter")
    return reader.outcome(found)
