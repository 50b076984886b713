"""``df -Pk``: sizes of mounted file systems, in the form of POSIX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader

_HEAD = re.compile(r"Filesystem +1024-blocks +Used +Available +Capacity +Mounted on")
_LINE = re.compile(
    r"(\S{1,200}) +(\d{1,15}) +(-?\d{1,15}) +(-?\d{1,15}) +(?:\d{1,3}%|-) +(/.{0,400})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """One mounted file system.

    Attributes:
        source: device or kind.
        size_bytes: of it all.
        free_bytes: what users may still write.
    """

    source: str
    size_bytes: int
    free_bytes: int


def parse(content: Content) -> Parsed[Mapping[str, FileSystem]]:
    """Return mount point -> file system; a text without the head is damage."""
    reader = Reader(content)
    found: dict[str, FileSystem] = {}
    headed = False
    for line in reader:
        match = _LINE.fullmatch(line)
        if _HEAD.fullmatch(line):
            headed = True
        elif match:
            found[match[5]] = FileSystem(
                source=match[1],
                size_bytes=int(match[2]) * 1024,
                free_bytes=int(match[4]) * 1024,
            )
        else:
            reader.unknown(line)
    if not headed:
        reader.damaged("the head of the table is not there")
    return reader.outcome(found)
