"""``grep -H '' FILE...``: small files of /proc and /sys, a line each, or several."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

# No path that is asked for has a colon.
_LINE = re.compile(r"((?:/proc|class|devices|kernel)/[\w./@-]{1,250}):(.*)")


def parse(content: Content) -> Parsed[Mapping[str, tuple[str, ...]]]:
    """Return path -> lines; paths of sysfs are told below its root, those of /proc whole."""
    reader = Reader(content)
    found: dict[str, tuple[str, ...]] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            reader.unknown(line)
        else:
            text = printable(match[2].strip(), 4000)
            found[match[1]] = (*found.get(match[1], ()), text)
    return reader.outcome(found)
