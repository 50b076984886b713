"""Findings about a fabric, printed."""

from __future__ import annotations

from sunk.assess.coverage import counts, coverage
from sunk.assess.folding import by_hosts
from sunk.assess.judge import is_unjudged
from sunk.assess.verdict import Finding, Verdict
from sunk.cli.output import Form, say, show


def document(findings: tuple[Finding, ...]) -> dict[str, object]:
    """Return findings with their counts and coverage, for JSON and YAML."""
    covered = coverage(findings)
    return {
        "findings": findings,
        "counts": {str(verdict): count for verdict, count in counts(findings).items()},
        "coverage": {"answered": covered.answered, "applicable": covered.applicable},
    }


_QUIET = frozenset({Verdict.PASS, Verdict.SKIP})
_FIRST = (
    *(Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN, Verdict.BLOCKED),
    *(Verdict.SKIP, Verdict.PASS),
)
"""What is to be read first."""


def show_findings(findings: tuple[Finding, ...], *, everything: bool) -> None:
    """Print a table: what is good only on request, the same of many hosts once, the worst first."""
    unjudged = sum(map(is_unjudged, findings))
    shown = [
        one
        for one in findings
        if everything or (one.verdict not in _QUIET and not is_unjudged(one))
    ]
    if shown:
        rows = sorted(by_hosts(shown), key=lambda one: _FIRST.index(one.verdict))
        show(rows, Form.TABLE, ("check", "verdict", "subject", "found", "remedy"))
    counted = ", ".join(
        f"{count} {verdict}" for verdict, count in counts(findings).items() if count
    )
    say(f"\n{counted}; answered {coverage(findings)}")
    if unjudged and not everything:
        words = f"{unjudged} of the UNKNOWN are checks that this version cannot judge yet"
        say(f"{words}; --all shows why")
