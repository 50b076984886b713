"""Whether runs of collectives came to their end, and in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import missing, said, trouble
from sunk_fabric.facts import Facts, Parser, Reading
from sunk_fabric.parse import collectives, nccl_tests, osu
from sunk_fabric.parse.dmesg import moment

OUT_OF_TIME = 124
"""How timeout(1) ends a program that did not."""


def ended(facts: Facts) -> Iterator[Answer]:
    """A run that hangs is ended from outside, sooner or later."""
    parsers: tuple[Parser[Any], ...] = (nccl_tests.parse, collectives.parse, osu.parse)
    readings = [one for parser in parsers for one in facts.of(parser)]
    if not readings:
        yield missing(nccl_tests.parse)
    for one in sorted(readings, key=lambda one: one.path):
        verdict, words = _judged(one, facts.expected.run_seconds)
        yield said(verdict, words, subjects.run(one.name or one.path), one)


def _judged(reading: Reading[Any], most: float | None) -> tuple[Verdict, str]:
    seconds = _seconds(reading)
    took = "it took" if seconds is None else f"it took {seconds:g} s"
    declared = "" if most is None else f", {most:g} declared"
    if reading.exit_code == OUT_OF_TIME:
        after = "" if seconds is None else f" after {seconds:g} s"
        return Verdict.FAIL, f"it was ended{after}, as its time was over{declared}"
    if seconds is not None and most is not None and seconds > most:
        return Verdict.FAIL, f"{took}{declared}"
    wrong = trouble(reading)
    if wrong:
        return Verdict.UNKNOWN, wrong
    if most is not None and seconds is None:
        return Verdict.UNKNOWN, f"it came to its end; how long it took is not told{declared}"
    if seconds is None:
        return Verdict.PASS, "it came to its end"
    return Verdict.PASS, f"{took}{declared}"


def _seconds(reading: Reading[Any]) -> float | None:
    began, until = moment(reading.at), moment(reading.until)
    return None if began is None or until is None else max(0.0, until - began)
