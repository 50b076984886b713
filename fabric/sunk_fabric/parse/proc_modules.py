"""/proc/modules: what the kernel has loaded; what is built into it does not stand there."""

from __future__ import annotations

import re

from sunk_fabric.parse.text import Content, Parsed, Reader

_LINE = re.compile(r"(\w{1,64}) \d{1,12} (?:\d{1,6}|-) \S{1,4000} (Live|Loading|Unloading) 0x\w+.*")


def parse(content: Content) -> Parsed[frozenset[str]]:
    """Return the names of modules that are live."""
    reader = Reader(content)
    found = set()
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            reader.unknown(line)
        elif match[2] == "Live":
            found.add(match[1])
    return reader.outcome(frozenset(found))
