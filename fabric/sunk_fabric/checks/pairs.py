"""Measurements between two hosts against what physics allows."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said
from sunk_fabric.expected import FAIL_SHARE, PASS_SHARE, bandwidth_ceiling
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import perftest
from sunk_fabric.parse.perftest import Run

LARGE_BYTES = 1 << 20
"""Smaller messages measure message rate and not the line. Proposal."""
P99_US = 4.2
"""Within a leaf. Published for NDR by one site; proposal for others."""


def bandwidth(facts: Facts) -> Iterator[Answer]:
    """The average of the largest message against the ceiling of rate, MTU and headers."""

    def judge(reading: Reading[Run]) -> Iterator[Answer]:
        run = reading.parsed.value
        subject = subjects.run(reading.name or reading.path)
        rate, mtu = facts.expected.port_gbit_per_s, run.mtu_bytes
        row = max(run.bandwidth, key=lambda one: one.size_bytes, default=None)
        if row is None:
            yield said(Verdict.SKIP, "a latency test", subject, reading)
        elif rate is None or mtu is None or row.size_bytes < LARGE_BYTES:
            yield said(Verdict.UNKNOWN, _lack(rate, mtu, row.size_bytes), subject, reading)
        else:
            ethernet = run.settings.get("Link type") == "Ethernet"
            ceiling = bandwidth_ceiling(rate, mtu, ethernet=ethernet)
            share = row.average_gbit_per_s / ceiling.gbit_per_s
            words = f"{row.average_gbit_per_s:.1f} Gb/s is {share:.3f} of {ceiling.derivation} Gb/s"
            yield said(share_verdict(share), words, subject, reading)

    yield from each(facts, perftest.parse, judge)


def _lack(rate: float | None, mtu: int | None, size_bytes: int) -> str:
    if rate is None:
        return "the port's rate is not declared"
    if mtu is None:
        return "the run does not tell its MTU"
    return f"messages of {size_bytes} bytes do not fill the line"


def share_verdict(share: float) -> Verdict:
    """Return the verdict on a share of what the line can carry."""
    # More than the wire can carry is a wrong unit or a wrong path, and no better than too little.
    if share > 1.0:
        return Verdict.UNKNOWN
    if share >= PASS_SHARE:
        return Verdict.PASS
    return Verdict.WARN if share >= FAIL_SHARE else Verdict.FAIL


def latency(facts: Facts) -> Iterator[Answer]:
    """The 99th percentile of the smallest message."""

    def judge(reading: Reading[Run]) -> Iterator[Answer]:
        subject = subjects.run(reading.name or reading.path)
        rows = reading.parsed.value.latency
        row = min(rows, key=lambda one: one.size_bytes, default=None)
        if row is None:
            yield said(Verdict.SKIP, "a bandwidth test", subject, reading)
        elif row.p99_us is None:
            yield said(Verdict.UNKNOWN, "no percentile is told", subject, reading)
        else:
            words = f"99th percentile {row.p99_us:g} us, {P99_US:g} allowed"
            verdict = Verdict.PASS if row.p99_us <= P99_US else Verdict.WARN
            yield said(verdict, words, subject, reading)

    yield from each(facts, perftest.parse, judge)
