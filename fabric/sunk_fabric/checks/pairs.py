"""Measurements between two hosts against what physics allows."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said
from sunk_fabric.checks.pcie import slot_gbit_per_s
from sunk_fabric.expected import bandwidth_ceiling
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.limits import Limit
from sunk_fabric.parse import perftest
from sunk_fabric.parse.perftest import Bandwidth, End, Run

LARGE_BYTES = 1 << 20
"""Smaller messages measure message rate and not the line. Proposal."""


def bandwidth(facts: Facts) -> Iterator[Answer]:
    """The average of the largest message against the ceiling of rate, headers and slot."""
    limit = facts.expected.limit("rdma.pair.bandwidth")

    def judge(reading: Reading[Run]) -> Iterator[Answer]:
        run = reading.parsed.value
        subject = subjects.run(reading.name or reading.path)
        rate, mtu = facts.expected.port_gbit_per_s, run.mtu_bytes
        row = largest(run)
        if row is None:
            yield said(Verdict.SKIP, "a latency test", subject, reading)
        elif rate is None or mtu is None or row.size_bytes < LARGE_BYTES:
            yield said(Verdict.UNKNOWN, _lack(rate, mtu, row.size_bytes), subject, reading)
        elif "Device" not in run.settings or "Link type" not in run.settings:
            words = f"{row.average_gbit_per_s:.1f} Gb/s, and the run does not tell by which device"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            ethernet = run.settings.get("Link type") == "Ethernet"
            slot = slot_gbit_per_s(facts, reading.host, run.settings.get("Device", ""))
            ceiling = bandwidth_ceiling(rate, mtu, ethernet=ethernet, pcie_gbit_per_s=slot)
            share = row.average_gbit_per_s / ceiling.gbit_per_s
            words = f"{row.average_gbit_per_s:.1f} Gb/s is {share:.3f} of {ceiling.derivation} Gb/s"
            yield said(share_verdict(share, limit), words + limit.words, subject, reading)

    yield from each(facts, perftest.parse, judge)


def _lack(rate: float | None, mtu: int | None, size_bytes: int) -> str:
    if rate is None:
        return "the port's rate is not declared"
    if mtu is None:
        return "the run does not tell its MTU"
    return f"messages of {size_bytes} bytes do not fill the line"


def share_verdict(share: float, limit: Limit) -> Verdict:
    """Return the verdict on a share of what the line can carry."""
    # More than the wire can carry is a wrong unit or a wrong path, and no better than too little.
    if share > 1.0:
        return Verdict.UNKNOWN
    if share >= limit.passing:
        return Verdict.PASS
    return Verdict.WARN if share >= limit.failing else Verdict.FAIL


def largest(run: Run) -> Bandwidth | None:
    """Return the row of the largest message; nothing for a latency test."""
    return max(run.bandwidth, key=lambda one: one.size_bytes, default=None)


def direct(facts: Facts) -> Iterator[Answer]:
    """Between GPU memory as fast as between the hosts' own, for the same ends and messages."""
    limit = facts.expected.limit("rdma.pair.gdr")
    runs: dict[tuple[str, str, str, End | None, int], list[Reading[Run]]] = {}

    def gather(reading: Reading[Run]) -> Iterator[Answer]:
        run = reading.parsed.value
        row = largest(run)
        if row is not None:
            device = run.settings.get("Device", "")
            place = (reading.host, device, run.test, run.remote, row.size_bytes)
            runs.setdefault(place, []).append(reading)
        return iter(())

    yield from each(facts, perftest.parse, gather)
    for (host, device, test, _, size), readings in sorted(
        runs.items(), key=lambda one: str(one[0])
    ):
        subject = subjects.run(readings[0].name or readings[0].path, host, device)
        rates = {True: 0.0, False: 0.0}
        for one in readings:
            row = largest(one.parsed.value)
            assert row is not None
            gpu = one.parsed.value.gpu
            rates[gpu] = max(rates[gpu], row.average_gbit_per_s)
        if size < LARGE_BYTES:
            words = f"messages of {size} bytes do not fill the line"
            yield said(Verdict.UNKNOWN, words, subject, *readings)
        elif not all(rates.values()):
            words = f"{test} {'with' if rates[True] else 'without'} GPU memory alone: run both"
            yield said(Verdict.UNKNOWN, words, subject, *readings)
        else:
            share = rates[True] / rates[False]
            words = (
                f"{rates[True]:.1f} Gb/s with GPU memory, {rates[False]:.1f} without: {share:.2f}"
            )
            verdict = Verdict.PASS if share >= limit.passing else Verdict.FAIL
            yield said(verdict, words + limit.words, subject, *readings)


def latency(facts: Facts) -> Iterator[Answer]:
    """The 99th percentile of the smallest message."""
    limit = facts.expected.limit("rdma.pair.latency")

    def judge(reading: Reading[Run]) -> Iterator[Answer]:
        subject = subjects.run(reading.name or reading.path)
        rows = reading.parsed.value.latency
        row = min(rows, key=lambda one: one.size_bytes, default=None)
        if row is None:
            yield said(Verdict.SKIP, "a bandwidth test", subject, reading)
        elif row.p99_us is None:
            yield said(Verdict.UNKNOWN, "no percentile is told", subject, reading)
        else:
            words = f"99th percentile {row.p99_us:g} us, {limit.passing:g} allowed{limit.words}"
            verdict = Verdict.PASS if row.p99_us <= limit.passing else Verdict.WARN
            verdict = Verdict.FAIL if row.p99_us > limit.failing else verdict
            yield said(verdict, words, subject, reading)

    yield from each(facts, perftest.parse, judge)
