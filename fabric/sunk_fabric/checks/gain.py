"""Two runs of one benchmark, with reductions in the network and without."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import missing, said, sound
from sunk_fabric.checks.in_network import OFF, ON
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import collectives, nccl_tests


@dataclass(frozen=True, slots=True)
class _Run:
    """All-reduces of one run.

    Attributes:
        reading: where it stands.
        ranks: how many.
        hosts: theirs by name, or how many where the program counts them alone.
        gb_per_s: size in bytes -> algorithm bandwidth.
    """

    reading: Reading[Any]
    ranks: int
    hosts: tuple[str, ...] | int
    gb_per_s: Mapping[int, float]


def sharp(facts: Facts) -> Iterator[Answer]:
    """Algorithm bandwidth with over without; the bus bandwidth's formula favours the network."""
    runs = {one.reading.name: one for one in _runs(facts)}
    on, off = runs.get(ON), runs.get(OFF)
    if on is None or off is None:
        there = [one.reading for one in (on, off) if one is not None]
        if there:
            words = f"{there[0].name} alone: run it with SHARP and without"
            yield said(Verdict.UNKNOWN, words, subjects.run(ON), *there)
        else:
            yield missing(nccl_tests.parse)
        return
    yield _compared(on, off)


def _runs(facts: Facts) -> Iterator[_Run]:
    for one in sound(facts, nccl_tests.parse):
        rates = {row.size_bytes: row.algorithm_gb_per_s[0] for row in one.parsed.value.rows}
        yield _Run(one, one.parsed.value.ranks, one.parsed.value.hosts, rates)
    for other in sound(facts, collectives.parse):
        if other.parsed.value.correct:
            rows = [row for row in other.parsed.value.rows if row.collective == "all_reduce"]
            rates = {row.size_bytes: row.algbw_gb_per_s for row in rows}
            hosts = other.parsed.value.hosts
            yield _Run(other, len(hosts), hosts, rates)


def _compared(on: _Run, off: _Run) -> Answer:
    subject, readings = subjects.run(ON), (on.reading, off.reading)
    if on.reading.format != off.reading.format:
        words = f"{on.reading.format} with and {off.reading.format} without: not the same run"
        return said(Verdict.UNKNOWN, words, subject, *readings)
    if (on.ranks, on.hosts) != (off.ranks, off.hosts):
        words = f"{on.ranks} ranks with and {off.ranks} without: not the same run"
        return said(Verdict.UNKNOWN, words, subject, *readings)
    gains = [
        rate / off.gb_per_s[size]
        for size, rate in on.gb_per_s.items()
        if off.gb_per_s.get(size, 0.0) > 0
    ]
    if not gains:
        return said(Verdict.UNKNOWN, "the runs have no size in common", subject, *readings)
    middle = statistics.median(gains)
    words = f"{middle:.2f} times the algorithm bandwidth without, median of {len(gains)} sizes"
    verdict = Verdict.PASS if middle >= 1.0 else Verdict.WARN
    return said(verdict, words, subject, *readings)
