"""chronyc tracking: how far the clock is from its source."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader

_LINE = re.compile(r"([A-Z][A-Za-z ()]{2,30}?)\s*: (.{0,200})")
_OFFSET = re.compile(r"(\d{1,12}\.\d{1,12}) seconds (slow|fast) of NTP time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """What the daemon says.

    Attributes:
        reference: of its source, in its words.
        leap: ``Normal`` when it is synchronised.
        offset_seconds: of the system's clock; positive when fast; nothing when not told.
    """

    reference: str = ""
    leap: str = ""
    offset_seconds: float | None = None


def parse(content: Content) -> Parsed[Tracking]:
    """Return the offset; a text without it, or without the leap status, is damage."""
    reader = Reader(content)
    told: dict[str, str] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            reader.unknown(line)
        else:
            told[match[1]] = match[2].strip()
    offset = _OFFSET.fullmatch(told.get("System time", ""))
    if offset is None or "Leap status" not in told:
        reader.damaged("no system time or no leap status")
    seconds = None
    if offset:
        seconds = float(offset[1]) * (1 if offset[2] == "fast" else -1)
    return reader.outcome(
        Tracking(
            reference=told.get("Reference ID", ""),
            leap=told.get("Leap status", ""),
            offset_seconds=seconds,
        )
    )
