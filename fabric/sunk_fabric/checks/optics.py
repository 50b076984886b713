"""Links as their adapters' firmware tells them: bit errors and modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric.checks.answers import each_named
from sunk_fabric.facts import Facts
from sunk_fabric.parse import mlxlink
from sunk_fabric.parse.mlxlink import LinkReport

FAIL_BER, WARN_BER = 1e-13, 1e-15
CONFIDENCE_ERRORS = 3
"""Bits without error that prove a rate with 95 % confidence are so many over the rate."""
Judged = tuple[Verdict, str]


def _ports(facts: Facts, judged: Callable[[LinkReport], Judged]) -> Iterator[Answer]:
    yield from each_named(facts, mlxlink.parse, judged, "no adapter here")


def bit_errors(facts: Facts) -> Iterator[Answer]:
    """Few bit errors after correction, over bits enough to say so."""

    def judged(one: LinkReport) -> Judged:
        if one.symbol_ber is None:
            return Verdict.UNKNOWN, "the symbol error rate is not told"
        words = f"symbol error rate {one.symbol_ber:.1e}"
        if one.symbol_ber > FAIL_BER:
            return Verdict.FAIL, words
        if one.minutes is None or one.speed_gbit_per_s is None:
            return Verdict.UNKNOWN, f"{words}; how many bits went is not told"
        bits = one.minutes * 60 * one.speed_gbit_per_s * 1e9
        if one.symbol_ber > WARN_BER:
            return Verdict.WARN, words
        if bits < CONFIDENCE_ERRORS / WARN_BER:
            hours = CONFIDENCE_ERRORS / WARN_BER / (one.speed_gbit_per_s * 1e9) / 3600
            return Verdict.UNKNOWN, f"{words} in {one.minutes:g} min; {hours:.1f} h are needed"
        return Verdict.PASS, f"{words} in {one.minutes:g} min"

    yield from _ports(facts, judged)


def module(facts: Facts) -> Iterator[Answer]:
    """No fault flag, and every value within its range."""

    def judged(one: LinkReport) -> Judged:
        if one.faults:
            return Verdict.FAIL, "; ".join(one.faults)
        if one.outside:
            return Verdict.WARN, "; ".join(one.outside)
        if not one.measured:
            return Verdict.UNKNOWN, "the module tells no value with its range"
        return Verdict.PASS, f"{one.measured} values in their ranges"

    yield from _ports(facts, judged)
