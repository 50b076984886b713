"""SHARP's library in a program: what it printed with ``SHARP_COLL_LOG_LEVEL=3``, among all else.

A job gets trees from the aggregation manager; each communicator that reduces in the network is a
group of that job.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.sharp_lines import sharp_line
from sunk_fabric.parse.text import Content, Parsed, Reader, printable
from sunk_jobs.log_lines import without_label

ERRORS_LIMIT = 100
"""Errors that are kept; their number is counted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpLog:
    """One program's run.

    Attributes:
        hosts: that printed lines, sorted.
        jobs: requests for resources.
        trees: kinds of the trees that were given: ``LLT`` for small messages, ``SAT`` for large.
        groups: size of every group that was made, largest first: members are hosts.
        errors: what went wrong, each once, safe to show.
        error_count: how many lines said so.
        foreign: lines of others.
    """

    hosts: tuple[str, ...]
    jobs: int
    trees: tuple[str, ...]
    groups: tuple[int, ...]
    errors: tuple[str, ...]
    error_count: int
    foreign: int


_JOB = re.compile(r"job \(ID: \d{1,20}\) resource request quota: .*")
_GROUP = re.compile(r"\[group#:\d{1,6}\] .{0,200}?\bgroup size:(\d{1,9})\b.*")
LINE_LIMIT = 65_536
"""Characters: lines of the program stand between."""


def parse(content: Content) -> Parsed[SharpLog]:
    """Return what the library said; a text without one line of its own is damage."""
    reader = Reader(content, line_limit=LINE_LIMIT)
    hosts: set[str] = set()
    trees: set[str] = set()
    groups: list[int] = []
    errors: dict[str, None] = {}
    jobs = error_count = foreign = 0
    for labelled in reader:
        said = sharp_line(without_label(labelled)[1])
        if said is None:
            foreign += 1
            continue
        hosts.add(printable(said.host))
        jobs += bool(_JOB.fullmatch(said.text))
        trees |= {said.tree} if said.tree else set()
        group = _GROUP.fullmatch(said.text)
        if group:
            groups.append(int(group[1]))
        error_count += said.is_error
        if said.is_error and len(errors) < ERRORS_LIMIT:
            errors[printable(said.text)] = None
    if not hosts:
        reader.damaged("no line of SHARP's: SHARP_COLL_LOG_LEVEL was not 3")
    return reader.outcome(
        SharpLog(
            hosts=tuple(sorted(hosts)),
            jobs=jobs,
            trees=tuple(sorted(trees)),
            groups=tuple(sorted(groups, reverse=True)),
            errors=tuple(errors),
            error_count=error_count,
            foreign=foreign,
        )
    )
