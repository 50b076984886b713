"""Figures that a run measured, beside those that a site declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import said
from sunk_fabric.facts import Reading


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        value: as measured.
        unit: of it: ``GB/s``, ``/s``, ``ms``.
        doubt: why it proves no good figure; empty when it does.
        less_is_better: for times; more is better for rates.
    """

    value: float
    unit: str
    doubt: str = ""
    less_is_better: bool = False

    def is_worse(self, declared: float) -> bool:
        """Return whether it is beyond what is declared."""
        return self.value > declared if self.less_is_better else self.value < declared

    def __str__(self) -> str:
        """Return it with its unit."""
        if self.unit == "/s":
            return f"{self.value:.0f}/s"
        return f"{self.value:.6g} {self.unit}"


def compared(
    reading: Reading[Any],
    figures: Mapping[str, Figure],
    declared: Mapping[str, float],
    seen: set[str],
) -> Iterator[Answer]:
    """Compare what somebody promised; all else that a run tells is no question of a site's.

    A figure in doubt says no good of a site. Where nothing is promised, one answer tells all.

    Args:
        reading: of the run.
        figures: name -> what it measured.
        declared: name -> what the site declares.
        seen: gets the names of what was measured.
    """
    run = reading.name or reading.path
    seen.update(figures)
    for name, one in sorted(figures.items()):
        if name not in declared:
            continue
        wanted = declared[name]
        words, verdict = f"{one}, {wanted:g} declared", Verdict.PASS
        if one.doubt:
            words, verdict = f"{words}; {one.doubt}", Verdict.UNKNOWN
        elif one.is_worse(wanted):
            verdict = Verdict.FAIL
        yield said(verdict, words, subjects.run(run, name), reading)
    if figures and not declared:
        words = ", ".join(f"{name} {one}" for name, one in sorted(figures.items()))
        yield said(Verdict.UNKNOWN, f"none is declared of {words}", subjects.run(run), reading)


def unmeasured(declared: Mapping[str, float], seen: set[str]) -> Iterator[Answer]:
    """Answer for every declared figure that no run measured."""
    for name, wanted in sorted(declared.items()):
        if name not in seen:
            words = f"{wanted:g} declared, and no run measured it"
            yield said(Verdict.UNKNOWN, words, subjects.run(name))
