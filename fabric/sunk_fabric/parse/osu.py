"""OSU micro-benchmarks: what one MPI benchmark printed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.sharp_lines import SharpLog, SharpSaid
from sunk_fabric.parse.text import Content, Parsed, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One benchmark.

    Attributes:
        test: as its header says: ``Bandwidth``, ``Latency``, ``Allreduce Latency``.
        version: of the benchmarks.
        memory: what the buffers are in, ``CUDA``; empty for the host's memory.
        mb_per_s: bytes of the message -> 10⁶ bytes per second; empty for a latency test.
        us: bytes of the message -> mean microseconds; empty for a bandwidth test.
        sharp: what SHARP's library said in between.
    """

    test: str
    version: str
    memory: str
    mb_per_s: dict[int, float]
    us: dict[int, float]
    sharp: SharpLog


_HEADER = re.compile(r"# OSU MPI(?:-([A-Z]{2,12}))? ([A-Za-z][A-Za-z -]{1,60}) Test v(\S{1,20}) *")
_COLUMNS = re.compile(r"# Size +(Bandwidth \(MB/s\)|(?:Avg )?Latency *\(us\))( .{1,120})?")
_ROW = re.compile(r"(\d{1,12}) +(\d{1,12}\.\d{1,6})((?: +\d{1,12}(?:\.\d{1,6})?){0,12}) *")


def parse(content: Content) -> Parsed[Run]:
    """Return the figures; sizes must grow, as a text of two runs is none of either."""
    reader = Reader(content)
    test = version = memory = unit = ""
    figures: dict[int, float] = {}
    said = SharpSaid()
    for line in reader:
        header, columns, row = (one.fullmatch(line) for one in (_HEADER, _COLUMNS, _ROW))
        if header and test:
            reader.damaged("there are several runs in it")
        elif header:
            memory, test, version = header[1] or "", header[2], header[3]
        elif columns:
            unit = columns[1]
        elif row and unit and int(row[1]) > max(figures, default=-1):
            figures[int(row[1])] = float(row[2])
        elif row and unit:
            reader.damaged(f"line {reader.number}: sizes do not grow: there are several runs in it")
        elif line.strip() and not line.startswith("#") and not said.take(line):
            reader.unknown(line)
    if not test or not unit or not figures:
        reader.damaged("there is no whole benchmark in it: header, unit and figures")
    bandwidth = unit.startswith("Bandwidth")
    return reader.outcome(
        Run(
            test=test,
            version=version,
            memory=memory,
            mb_per_s=figures if bandwidth else {},
            us={} if bandwidth else figures,
            sharp=said.log(),
        )
    )
