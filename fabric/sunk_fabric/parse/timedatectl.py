"""timedatectl show: whether the kernel's clock is synchronised."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sunk_fabric.parse.text import Content, Parsed, Reader

SYNCHRONISED = "NTPSynchronized"
_LINE = re.compile(r"([A-Z]\w{1,40})=(.{0,200})")


def parse(content: Content) -> Parsed[Mapping[str, str]]:
    """Return property -> value."""
    reader = Reader(content)
    found: dict[str, str] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            reader.unknown(line)
        else:
            found[match[1]] = match[2]
    if found.get(SYNCHRONISED) not in {"yes", "no"}:
        reader.damaged(f"{SYNCHRONISED} is not told")
    return reader.outcome(found)
