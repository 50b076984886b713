"""nccl-tests: the table of one benchmark, such as all_reduce_perf."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.sharp_lines import sharp_line
from sunk_fabric.parse.text import Content, Parsed, Reader, printable


@dataclass(frozen=True, slots=True)
class Row:
    """One size; out of place and in place.

    Attributes:
        size_bytes: of the message.
        time_us: out of place, in place.
        algorithm_gb_per_s: 10⁹ bytes per second; out of place, in place.
        bus_gb_per_s: 10⁹ bytes per second; out of place, in place.
        wrong: values that were wrong; nothing where they were not checked.
    """

    size_bytes: int
    time_us: tuple[float, float]
    algorithm_gb_per_s: tuple[float, float]
    bus_gb_per_s: tuple[float, float]
    wrong: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One benchmark.

    Attributes:
        version: of nccl-tests; empty in older builds.
        ranks: how many GPUs took part.
        hosts: how many hosts they were on.
        models: of the GPUs, sorted; empty in older builds.
        rows: by size, as printed.
        out_of_bounds: values out of bounds, from the footer; nothing without one.
    """

    version: str
    ranks: int
    hosts: int
    models: tuple[str, ...]
    rows: tuple[Row, ...]
    out_of_bounds: int | None


_NUMBER = r"(\d{1,12}(?:\.\d{1,6})?)"
_WRONG = r"(\d{1,20}|N/A|\d(?:\.\d+)?e[+-]\d{2})"
_HALF = rf"{_NUMBER} +{_NUMBER} +{_NUMBER} +{_WRONG}"
_ROW = re.compile(
    rf" *(\d{{1,20}}) +\d{{1,20}} +\w{{1,20}}(?: +\w{{1,12}})?(?: +-?\d{{1,6}})? +"
    rf"{_HALF} +{_HALF} *"
)
_RANK = re.compile(
    r"# +Rank +\d{1,6} +(?:Group +\d{1,6} +)?Pid +\d{1,10} on +(\S{1,255}) device +\d{1,4}"
    r"(?: +\[\S{1,24}\] (.{1,80}?))? *"
)
_VERSION = re.compile(r"# nccl-tests version (\S{1,40}).*")
_BOUNDS = re.compile(r"# Out of bounds values : (\d{1,20}) (OK|FAILED)\s*")
_NCCL = re.compile(r"(?:\[.{1,40}\] )?\S{1,255}:\d{1,10}:\d{1,10} \[\d{1,4}\] .*")


def parse(content: Content) -> Parsed[Results]:
    """Return the table; one without its footer is damage, as the run did not end."""
    reader = Reader(content)
    rows: list[Row] = []
    ranks: list[str] = []
    models: set[str] = set()
    version, bounds = "", None
    for line in reader:
        row, rank = _ROW.fullmatch(line), _RANK.fullmatch(line)
        told, footer = _VERSION.fullmatch(line), _BOUNDS.fullmatch(line)
        if row:
            rows.append(_row(row))
        elif rank:
            ranks.append(rank[1])
            models.update({printable(rank[2])} if rank[2] else ())
        elif told:
            version = told[1]
        elif footer:
            bounds = int(footer[1])
            if (footer[2] == "OK") != (bounds == 0):
                reader.damaged(f"line {reader.number} contradicts itself")
        elif line.strip() and not line.startswith("#") and not _of_library(line):
            reader.unknown(line)
    if not rows:
        reader.damaged("there is no row of results")
    if bounds is None:
        reader.damaged("there is no footer: the run did not end")
    return reader.outcome(
        Results(
            version=version,
            ranks=len(ranks),
            hosts=len(set(ranks)),
            models=tuple(sorted(models)),
            rows=tuple(rows),
            out_of_bounds=bounds,
        )
    )


def _of_library(line: str) -> bool:
    """Return whether NCCL or its plugin for SHARP printed a line between those of the table."""
    return _NCCL.fullmatch(line) is not None or sharp_line(line) is not None


def _row(found: re.Match[str]) -> Row:
    size, *halves = found.groups()
    out, back = halves[:4], halves[4:]
    wrongs = [_wrong(out[3]), _wrong(back[3])]
    known = [one for one in wrongs if one is not None]
    return Row(
        int(size),
        (float(out[0]), float(back[0])),
        (float(out[1]), float(back[1])),
        (float(out[2]), float(back[2])),
        sum(known) if len(known) == len(wrongs) else None,
    )


def _wrong(text: str) -> int | None:
    """Return a count; the ``error`` column of old builds is a difference, zero when right."""
    if text == "N/A":
        return None
    return int(text) if text.isdigit() else int(float(text) != 0)
