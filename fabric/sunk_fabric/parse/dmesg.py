"""dmesg --time-format iso: the kernel's log; older ways to write the time are read too."""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

KEPT = ("mlx5", "NVRM", "nvidia", "PCIe", "pcie", "AER", "dma-buf", "link", "Link", "soft lockup")
"""Words of lines that some check reads; the others are counted alone."""
_MOMENT = r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[,.]\d{1,9})?(?:Z|([+-])(\d\d):?(\d\d))?"
_ISO, _AT = re.compile(rf"{_MOMENT} (.*)"), re.compile(_MOMENT)
_BOOT = re.compile(r"(?:<\d{1,3}>)?\[\s*\d{1,12}\.\d{1,9}\] ?(.*)")
_HUMAN = re.compile(r"\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ?(.*)")


@dataclass(frozen=True, slots=True)
class KernelLine:
    """One line.

    Attributes:
        at: when, as seconds since 1970 in UTC; nothing when the log counts from the start.
        text: what it says, safe to show.
    """

    at: float | None
    text: str


@dataclass(frozen=True, slots=True)
class KernelLog:
    """The log.

    Attributes:
        lines: those that some check reads.
        first: time of the first line of all; nothing when not known.
    """

    lines: tuple[KernelLine, ...] = ()
    first: float | None = None


def parse(content: Content) -> Parsed[KernelLog]:
    """Return the lines; one without a time goes on what stands before it."""
    reader = Reader(content)
    kept: list[KernelLine] = []
    first: float | None = None
    began = False
    for line in reader:
        found = _timed(line)
        if found is None and not (began and line[:1].isspace()):
            reader.unknown(line)
        if found is None:
            continue
        first = found.at if not began else first
        began = True
        if any(word in found.text for word in KEPT):
            kept.append(found)
    return reader.outcome(KernelLog(tuple(kept), first))


def _timed(line: str) -> KernelLine | None:
    if match := _ISO.fullmatch(line):
        at = _seconds(match)
        return None if at is None else KernelLine(at, printable(match[10], 400))
    # Local time of the host, which nobody tells, or from its start: not to be compared with ours.
    other = _HUMAN.fullmatch(line) or _BOOT.fullmatch(line)
    return KernelLine(None, printable(other[other.re.groups], 400)) if other else None


def moment(text: str) -> float | None:
    """Return an evidence's time as seconds since 1970; nothing when it has none."""
    match = _AT.fullmatch(text)
    return _seconds(match) if match else None


def _seconds(match: re.Match[str]) -> float | None:
    """Return seconds since 1970 in UTC; nothing for a day or hour that there is not."""
    year, month, day, hour, minute, second = (int(match[at]) for at in range(1, 7))
    if not (year and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
        return None
    east = (int(match[8]) * 60 + int(match[9])) * 60 if match[7] else 0
    away = -east if match[7] == "-" else east
    return float(timegm((year, month, day, hour, minute, second)) - away)
