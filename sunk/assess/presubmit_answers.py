"""Answers of the checks before submitting."""

from __future__ import annotations

from sunk.assess.verdict import Finding, Verdict


def answer(check: str, wrong: str, fine: str, remedy: str = "") -> Finding:
    """Return FAIL with what is wrong, or PASS when nothing is."""
    if wrong:
        return Finding(check=check, verdict=Verdict.FAIL, found=wrong, remedy=remedy)
    return Finding(check=check, verdict=Verdict.PASS, found=fine)


def skip(check: str, why: str) -> Finding:
    """Return that a check does not apply."""
    return Finding(check=check, verdict=Verdict.SKIP, found=why)


def unknown(check: str, what: str, remedy: str) -> Finding:
    """Return that a check could not find out."""
    return Finding(
        check=check, verdict=Verdict.UNKNOWN, found=f"{what} is not known", remedy=remedy
    )


def blocked(check: str, why: str) -> Finding:
    """Return that a check could not be made because another one is not PASS."""
    return Finding(check=check, verdict=Verdict.BLOCKED, found=why)
