"""Two runs of one benchmark, with reductions in the network and without."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import missing, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import nccl_tests
from sunk_fabric.parse.nccl_tests import Results

ON, OFF = "sharp-on", "sharp-off"


def sharp(facts: Facts) -> Iterator[Answer]:
    """Algorithm bandwidth with over without; the bus bandwidth's formula favours the network."""
    runs = {one.name: one for one in sound(facts, nccl_tests.parse)}
    on, off = runs.get(ON), runs.get(OFF)
    if on is None or off is None:
        there = [one for one in (on, off) if one is not None]
        if there:
            words = f"{there[0].name} alone: run it with SHARP and without"
            yield said(Verdict.UNKNOWN, words, subjects.run(ON), *there)
        else:
            yield missing(nccl_tests.parse)
        return
    yield _compared(on, off)


def _compared(on: Reading[Results], off: Reading[Results]) -> Answer:
    subject = subjects.run(ON)
    with_it, without = on.parsed.value, off.parsed.value
    if (with_it.ranks, with_it.hosts) != (without.ranks, without.hosts):
        words = f"{with_it.ranks} ranks with and {without.ranks} without: not the same run"
        return said(Verdict.UNKNOWN, words, subject, on, off)
    bare = {one.size_bytes: one.algorithm_gb_per_s[0] for one in without.rows}
    gains = [
        one.algorithm_gb_per_s[0] / bare[one.size_bytes]
        for one in with_it.rows
        if bare.get(one.size_bytes, 0.0) > 0
    ]
    if not gains:
        return said(Verdict.UNKNOWN, "the runs have no size in common", subject, on, off)
    middle = statistics.median(gains)
    words = f"{middle:.2f} times the algorithm bandwidth without, median of {len(gains)} sizes"
    verdict = Verdict.PASS if middle >= 1.0 else Verdict.WARN
    return said(verdict, words, subject, on, off)
