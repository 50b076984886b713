"""Are the texts whole, and is every one read by somebody?"""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric.checks.answers import said, trouble
from sunk_fabric.facts import Facts


def sound(facts: Facts) -> Iterator[Answer]:
    """One answer for every file."""
    for one in facts.every:
        wrong = trouble(one)
        subject = f"evidence/{one.path}"
        if wrong:
            yield said(Verdict.UNKNOWN, wrong, subject, one)
        else:
            yield said(Verdict.PASS, f"{one.parsed.lines} lines", subject, one)


def known(facts: Facts) -> Iterator[Answer]:
    """One answer for every file that nobody reads, or one for all."""
    for path, evidence in facts.strangers:
        yield Answer(
            verdict=Verdict.WARN,
            found="no format is called so",
            subject=f"evidence/{path}",
            evidence=(evidence,),
        )
    if not facts.strangers and facts.every:
        count = len(facts.every)
        yield said(Verdict.PASS, f"{count} files, all of known formats", "evidence", *facts.every)
