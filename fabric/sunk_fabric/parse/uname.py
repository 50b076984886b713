"""uname -a: the kernel of a host."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader

_LINE = re.compile(
    r"(\w{1,20}) (\S{1,255}) (\S{1,100}) (.{1,300}) (\S{1,40})(?: \S{1,40}/\S{1,20})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What runs.

    Attributes:
        host: its name.
        release: of the kernel.
    """

    host: str = ""
    release: str = ""


def parse(content: Content) -> Parsed[Kernel]:
    """Return the kernel; anything but one line is damage."""
    reader = Reader(content)
    found: list[Kernel] = []
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None or match[1] != "Linux":
            reader.unknown(line)
        else:
            found.append(Kernel(host=match[2], release=match[3]))
    if len(found) != 1:
        reader.damaged(f"{len(found)} lines tell a kernel")
    return reader.outcome(found[0] if found else Kernel())
