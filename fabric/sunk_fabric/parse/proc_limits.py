"""/proc/PID/limits: what a process may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit.

    Attributes:
        soft: what holds; nothing for unlimited.
        hard: up to where the process may raise it; nothing for unlimited.
        unit: ``bytes``, ``files`` and more; empty for priorities.
    """

    soft: int | None
    hard: int | None
    unit: str


_TITLE = re.compile(r"Limit +Soft Limit +Hard Limit +Units *")
_LINE = re.compile(r"(Max [a-z ]{1,40}?) {2,}(unlimited|\d{1,20}) +(unlimited|\d{1,20}) +(\w*) *")


def parse(content: Content) -> Parsed[Mapping[str, Limit]]:
    """Return the limits by the kernel's words, such as ``Max locked memory``."""
    reader = Reader(content)
    found: dict[str, Limit] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if match:
            found[match[1]] = Limit(_number(match[2]), _number(match[3]), match[4])
        elif not _TITLE.fullmatch(line):
            reader.unknown(line)
    return reader.outcome(found)


def _number(text: str) -> int | None:
    return None if text == "unlimited" else int(text)
