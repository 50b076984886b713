"""What the linter's parts speak of: rules, findings, edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sunk.toolkit.lint.facts import ClusterFacts
    from sunk.toolkit.lint.script import Script


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A piece of text to be replaced, in UTF-8 bytes of the file.

    Attributes:
        start: first byte.
        end: byte behind the last; equal to `start` for an insertion.
        text: what to put there.
    """

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a rule found.

    Attributes:
        line: counted from 1.
        column: in characters, counted from 1.
        message: what is wrong here and what to do, one sentence without a full stop.
        severity: where it is less sure than the rule's own; None for that.
        edits: a safe fix: the job stays the same but for the fault.
    """

    line: int
    message: str
    column: int = 1
    severity: Severity | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that goes wrong with sbatch scripts.

    Attributes:
        id: stable, never given to another rule.
        severity: of its findings, unless one is less sure.
        title: what is wrong, in a few words.
        why: what happens because of it.
        source: where that is known from.
        live: it needs facts of the cluster to say anything.
        check: finds it.
    """

    id: str
    severity: Severity
    title: str
    why: str
    source: str
    check: Callable[[Script, ClusterFacts], Iterator[Problem]]
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem of a file.

    Attributes:
        path: the file, as it was named.
        rule: the rule's id.
        severity: how bad it is.
        line: counted from 1.
        column: in characters, counted from 1.
        message: what is wrong here and what to do.
        source_line: the line's text without surrounding white space, for baselines.
        edits: the safe fix, empty when there is none.
    """

    path: str
    rule: str
    severity: Severity
    line: int
    column: int
    message: str
    source_line: str = ""
    edits: tuple[Edit, ...] = ()
