"""Comments that ignore a rule, with a reason: ``# sunk-lint: ignore=S031 nodes are exclusive``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sunk.toolkit.lint.script import Comment, Script

_MARK = re.compile(r"#\s*sunk-lint:\s*(?P<rest>.*)$")
_FORM = re.compile(
    r"(?P<verb>ignore|ignore-file)=(?P<ids>[A-Z]\d{3}(?:,[A-Z]\d{3})*)(?:\s+(?P<why>\S.*))?$"
)
HOW = "write # sunk-lint: ignore=S031 and the reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """One such comment.

    Attributes:
        rules: the ids that it ignores, empty when it is faulty.
        line: its own line.
        first: first line that it speaks of.
        last: last line that it speaks of.
        fault: what is wrong with it, empty when nothing is.
    """

    rules: frozenset[str]
    line: int
    first: int
    last: int
    fault: str = ""

    def covers(self, rule: str, line: int) -> bool:
        """Return whether it ignores a rule on a line."""
        return rule in self.rules and self.first <= line <= self.last


def read_ignores(script: Script) -> tuple[Ignore, ...]:
    """Return the ignore comments of a script."""
    if "sunk-lint" not in script.text:
        return ()
    return tuple(ignore for comment in _comments(script) if (ignore := _read(comment, script)))


def _comments(script: Script) -> Iterator[Comment]:
    yield from script.comments
    if not script.is_shell:
        for number, line in enumerate(script.lines, start=1):
            if "#" in line:
                below = number + (1 if line.lstrip().startswith("#") else 0)
                yield Comment(text=line, line=number, first=number, last=below)


def _read(comment: Comment, script: Script) -> Ignore | None:
    marked = _MARK.search(comment.text)
    if marked is None:
        return None
    formed = _FORM.fullmatch(marked["rest"].strip())
    if formed is None:
        return _faulty(comment, f"this ignores nothing; {HOW}")
    if not formed["why"]:
        return _faulty(comment, f"this ignores nothing without a reason; {HOW}")
    ids = frozenset(formed["ids"].split(","))
    whole = formed["verb"] == "ignore-file"
    return Ignore(
        rules=ids,
        line=comment.line,
        first=1 if whole else comment.first,
        last=len(script.lines) if whole else comment.last,
    )


def _faulty(comment: Comment, fault: str) -> Ignore:
    return Ignore(
        rules=frozenset(), line=comment.line, first=comment.line, last=comment.line, fault=fault
    )
