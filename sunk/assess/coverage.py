"""How much of what applies was answered, as a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sunk.assess.verdict import Finding, Verdict

ANSWERED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Answers among questions that apply.

    Attributes:
        answered: PASS, WARN and FAIL.
        applicable: all but SKIP.
    """

    answered: int
    applicable: int

    @property
    def ratio(self) -> float | None:
        """Return answered / applicable, 0 to 1; nothing where nothing applies."""
        return self.answered / self.applicable if self.applicable else None

    def __str__(self) -> str:
        share = "-" if self.ratio is None else f"{100 * self.ratio:.1f} %"
        return f"{self.answered} of {self.applicable} ({share})"


def coverage(findings: Iterable[Finding]) -> Coverage:
    """Return the coverage of findings; what could not be answered counts against it."""
    counted = counts(findings)
    answered = sum(counted[one] for one in ANSWERED)
    return Coverage(answered=answered, applicable=sum(counted.values()) - counted[Verdict.SKIP])


def counts(findings: Iterable[Finding]) -> Mapping[Verdict, int]:
    """Return how many findings there are of every verdict, in the order of verdicts."""
    found = Counter(one.verdict for one in findings)
    return {verdict: found[verdict] for verdict in Verdict}
