"""Lines that SHARP's library prints into whatever text of the program that uses it.

Newer releases put the time between place and level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sunk_fabric.parse.text import printable
from sunk_jobs.networks.log_lines import without_label

ERRORS_LIMIT = 100
"""Errors that are kept; their number is counted on."""
_LINE = re.compile(
    r"\[(\S{1,255}):(\d{1,7}):\d{1,9} - [\w./-]{1,80}:\d{1,6}\](?:\[[0-9 :.-]{10,40}\])?"
    r"\s+([A-Z]{4,8})\s+(.*)"
)
_TREE = re.compile(r"(?:tree_info: type|(?:.{0,80} )?tree_type):(\w{1,12})\b.*")
_ERRORS = frozenset({"ERROR", "FATAL"})


_JOB = re.compile(r"job \(ID: \d{1,20}\) resource request quota: .*")
_GROUP = re.compile(r"\[group#:\d{1,6}\] .{0,200}?\bgroup size:(\d{1,9})\b.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpLog:
    """What the library said in one program's run.

    Attributes:
        hosts: that printed lines, sorted.
        jobs: requests for resources.
        trees: kinds of the trees that were given: ``LLT`` for small messages, ``SAT`` for large.
        groups: size of every group that was made, largest first: members are hosts.
        errors: what went wrong, each once, safe to show.
        error_count: how many lines said so.
    """

    hosts: tuple[str, ...]
    jobs: int
    trees: tuple[str, ...]
    groups: tuple[int, ...]
    errors: tuple[str, ...]
    error_count: int


@dataclass(frozen=True, slots=True)
class SharpLine:
    """One line.

    Attributes:
        host: that printed it.
        rank: in the job.
        level: ``INFO``, ``WARN``, ``ERROR``.
        text: what it says.
    """

    host: str
    rank: int
    level: str
    text: str

    @property
    def is_error(self) -> bool:
        """Return whether it says that something went wrong."""
        return self.level in _ERRORS

    @property
    def tree(self) -> str:
        """Return the kind of a tree that the job got, ``LLT`` or ``SAT``; empty for other lines."""
        if self.text.startswith("[group#"):
            return ""
        found = _TREE.fullmatch(self.text)
        return found[1] if found else ""


def sharp_line(line: str) -> SharpLine | None:
    """Return the line as SHARP's; nothing for one of others."""
    found = _LINE.fullmatch(line)
    return SharpLine(found[1], int(found[2]), found[3], found[4]) if found else None


@dataclass
class SharpSaid:
    """The library's lines as they come."""

    hosts: set[str] = field(default_factory=set)
    trees: set[str] = field(default_factory=set)
    groups: list[int] = field(default_factory=list)
    errors: dict[str, None] = field(default_factory=dict)
    jobs: int = 0
    error_count: int = 0

    def take(self, labelled: str) -> bool:
        """Take a line, with the label of a launcher or without; return whether it is SHARP's."""
        said = sharp_line(without_label(labelled)[1])
        if said is None:
            return False
        self.hosts.add(printable(said.host))
        self.jobs += bool(_JOB.fullmatch(said.text))
        self.trees |= {said.tree} if said.tree else set()
        group = _GROUP.fullmatch(said.text)
        if group:
            self.groups.append(int(group[1]))
        self.error_count += said.is_error
        if said.is_error and len(self.errors) < ERRORS_LIMIT:
            self.errors[printable(said.text)] = None
        return True

    def log(self) -> SharpLog:
        """Return what was said."""
        return SharpLog(
            hosts=tuple(sorted(self.hosts)),
            jobs=self.jobs,
            trees=tuple(sorted(self.trees)),
            groups=tuple(sorted(self.groups, reverse=True)),
            errors=tuple(self.errors),
            error_count=self.error_count,
        )
