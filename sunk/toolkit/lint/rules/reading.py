"""Rules about the linter's own reading: what it could not see is never passed over in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.ignores import HOW, read_ignores
from sunk.toolkit.lint.model import Problem, Rule, Severity
from sunk.toolkit.lint.script import Script


def _unparsed(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    for piece in script.unparsed:
        lines = f"to line {piece.last} " if piece.last > piece.line else ""
        yield Problem(
            line=piece.line,
            column=piece.column,
            message=f"from here {lines}the script was not understood, so rules may miss what "
            f"stands there ({piece.text!r}); bash -n says whether bash does",
        )


def _other_language(script: Script, _facts: ClusterFacts) -> Iterator[Problem]:
    if not script.is_shell:
        yield Problem(
            line=1,
            message=f"the body is for {script.interpreter}, so only the #SBATCH lines were checked",
        )


def _ignores(script: Script, _facts: ClusterFacts, *, known: frozenset[str]) -> Iterator[Problem]:
    for comment in read_ignores(script):
        if comment.fault:
            yield Problem(line=comment.line, message=comment.fault)
        for name in sorted(comment.rules - known):
            yield Problem(line=comment.line, message=f"there is no rule {name} to ignore; {HOW}")


def rules_beside(others: Iterable[str]) -> tuple[Rule, ...]:
    """Return these rules, for a linter that has those of the given ids too."""
    known = frozenset({"P001", "P002", "P003", *others})
    return (*_RULES, replace(_ABOUT_IGNORES, check=partial(_ignores, known=known)))


_RULES = (
    Rule(
        id="P001",
        severity=Severity.WARNING,
        title="part of the script was not understood",
        why="The linter parses bash. What does not parse is not checked, and is named.",
        source="tree-sitter's grammar of bash",
        check=_unparsed,
    ),
    Rule(
        id="P002",
        severity=Severity.INFO,
        title="body in another language",
        why="sbatch takes any interpreter; the linter reads shells.",
        source="the script's first line",
        check=_other_language,
    ),
)
_ABOUT_IGNORES = Rule(
    id="P003",
    severity=Severity.WARNING,
    title="ignore comment without effect",
    why="A comment that names no rule, a rule that does not exist, or no reason ignores nothing.",
    source="the linter's own comments",
    check=partial(_ignores, known=frozenset()),
)
