"""Tasks of jobs on a host: the processors they may use, and those near the devices they use."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

NONE = "no task of a job has a GPU or an adapter open"
CPUS_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDevice:
    """A device that a task has open.

    Attributes:
        job: number of its job.
        rank: of the task in its step.
        pid: on the host.
        allowed: processors that it may use.
        device: ``mlx5_0``, or the PCI address of a GPU; the file's name where nobody knows.
        near: processors that the kernel says are near the device; empty where it does not say.
    """

    job: int
    rank: int
    pid: int
    allowed: frozenset[int]
    device: str
    near: frozenset[int]


_LINE = re.compile(
    r"(\d{1,12}) (\d{1,9}) (\d{1,10}) ([0-9,-]{1,4000}) (\w{1,32}) (\S{1,64}) ([0-9,-]{1,4000})"
)
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def parse(content: Content) -> Parsed[tuple[OpenDevice, ...]]:
    """Return the devices in the order of the text; that there are none is an answer too."""
    reader = Reader(content)
    found: list[OpenDevice] = []
    none = False
    for line in reader:
        match = _LINE.fullmatch(line)
        allowed = processors(match[4]) if match else None
        near = processors(match[7]) if match else None
        if match and allowed and near is not None:
            found.append(
                OpenDevice(
                    job=int(match[1]),
                    rank=int(match[2]),
                    pid=int(match[3]),
                    allowed=allowed,
                    device=printable(match[5] if match[6] == "-" else match[6]),
                    near=near,
                )
            )
        elif line == NONE:
            none = True
        elif line.strip():
            reader.unknown(line)
    if none == bool(found):
        reader.damaged("it tells neither of tasks nor that there are none")
    return reader.outcome(tuple(found))


def processors(text: str) -> frozenset[int] | None:
    """Return what a list of the kernel's says, ``0-3,8``; none for ``-``, nothing for no list."""
    if text == "-":
        return frozenset()
    found: set[int] = set()
    for word in text.split(","):
        match = _RANGE.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < CPUS_LIMIT:
            return None
        found.update(range(first, last + 1))
    return frozenset(found)
