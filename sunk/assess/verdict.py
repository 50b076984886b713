"""What a check can say, and one answer of one check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The answer of a check.

    Missing evidence is never PASS: a check that could not find out says UNKNOWN.
    """

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    WARN = "WARN"
    FAIL = "FAIL"
    SKIP = "SKIP"
    UNKNOWN = "UNKNOWN"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer.

    Attributes:
        check: stable name of the check, dotted.
        verdict: the answer.
        found: what was seen, in words.
        remedy: the command or step that mends it; empty when nothing needs mending.
    """

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def exit_code(verdicts: tuple[Verdict, ...]) -> int:
    """Return the exit code for a set of answers: 0 fine, 1 any FAIL, 5 not FAIL but not known."""
    if Verdict.FAIL in verdicts:
        return 1
    if Verdict.UNKNOWN in verdicts or Verdict.BLOCKED in verdicts:
        return 5
    return 0
