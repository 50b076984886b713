"""Figures that a run measured, beside those that a site declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import either, missing, said
from sunk_fabric.facts import Facts, Parser, Reading


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


def beside(
    facts: Facts,
    declared: Mapping[str, float],
    *ways: tuple[Parser[Any], Callable[[Any], Mapping[str, Figure]]],
) -> Iterator[Answer]:
    """Compare what runs measured with what a site declares.

    Args:
        facts: of the site.
        declared: name of a figure -> what is promised.
        ways: parser of a program's text, and what reads the figures of its value.
    """
    seen: set[str] = set()

    def judged(reading: Reading[Any], figures: Mapping[str, Figure]) -> Iterator[Answer]:
        seen.update(figures)
        yield from _compared(reading, figures, declared)

    def judging(
        figures: Callable[[Any], Mapping[str, Figure]],
    ) -> Callable[[Reading[Any]], Iterator[Answer]]:
        return lambda reading: judged(reading, figures(reading.parsed.value))

    answers = tuple(either(facts, *((parser, judging(one)) for parser, one in ways)))
    if not answers and not declared:
        yield missing(*(parser for parser, _ in ways))
    yield from answers
    for name, wanted in sorted(declared.items()):
        if name not in seen:
            words = f"{wanted:g} declared, and no run measured it"
            yield said(Verdict.UNKNOWN, words, subjects.run(name))


def _compared(
    reading: Reading[Any], figures: Mapping[str, Figure], declared: Mapping[str, float]
) -> Iterator[Answer]:
    """Compare what somebody promised; all else that a run tells is no question of a site's.

    A figure in doubt says no good of a site. Where nothing is promised, one answer tells all.
    """
    run = reading.name or reading.path
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
