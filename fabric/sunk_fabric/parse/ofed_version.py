"""ofed_info -s: the version of the vendor's RDMA software."""

from __future__ import annotations

import re

from sunk_fabric.parse.text import Content, Parsed, Reader

_LINE = re.compile(r"((?:MLNX_)?OFED[\w.-]{1,80}|DOCA[\w. -]{1,80}):?\s*")


def parse(content: Content) -> Parsed[str]:
    """Return the version as the tool writes it; anything but one line is damage."""
    reader = Reader(content)
    found: list[str] = []
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            reader.unknown(line)
        else:
            found.append(match[1].strip())
    if len(found) != 1:
        reader.damaged(f"{len(found)} lines tell a version")
    return reader.outcome(found[0] if found else "")
