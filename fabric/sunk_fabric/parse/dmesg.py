"""dmesg --time-format iso: the kernel's log; older ways to write the time are read too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

KEPT = ("mlx5", "NVRM", "nvidia", "PCIe", "pcie", "AER", "dma-buf", "link", "Link", "soft lockup")
"""Words of lines that some check reads; the others are counted alone."""
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[,.]\d{1,9})?([+-]\d\d:?\d\d|Z)? (.*)")
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
    try:
        if match := _ISO.fullmatch(line):
            at = datetime.fromisoformat(match[1] + (match[2] or "+00:00").replace("Z", "+00:00"))
            return KernelLine(at.timestamp(), printable(match[3], 400))
        if match := _HUMAN.fullmatch(line):
            # Local time of the host, which nobody tells: not to be compared with ours.
            return KernelLine(None, printable(match[2], 400))
        if match := _BOOT.fullmatch(line):
            return KernelLine(None, printable(match[1], 400))
    except (ValueError, OverflowError):
        return None
    return None


def moment(text: str) -> float | None:
    """Return an evidence's time as seconds since 1970; nothing when it has none."""
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
