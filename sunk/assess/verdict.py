"""What a check can say, and one answer of one check."""

from __future__ import annotations

from collections.abc import Iterable
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


class Domain(StrEnum):
    """Who owns a cause: the failure domains of a site."""

    HOST = "host"
    PCIE = "pcie"
    FABRIC = "fabric"
    DATA_PLANE = "data_plane"
    STORAGE = "storage"
    RUNTIME = "runtime"
    SCHEDULER = "scheduler"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer.

    Attributes:
        check: stable name of the check, dotted.
        verdict: the answer.
        found: what was seen, in words.
        remedy: the command or step that mends it; empty when nothing needs mending.
        subject: what it is about, as a path such as ``node/gpu001/mlx5_0``; empty for all.
        domain: who owns the cause; nothing for checks outside a catalogue.
        evidence: ids of what proves it.
        blocked_by: root causes of a BLOCKED answer, as checks.
    """

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""
    subject: str = ""
    domain: Domain | None = None
    evidence: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """Return the exit code for a set of answers: 0 fine, 1 any FAIL, 5 not FAIL but not known."""
    found = set(verdicts)
    if Verdict.FAIL in found:
        return 1
    if Verdict.UNKNOWN in found or Verdict.BLOCKED in found:
        return 5
    return 0
