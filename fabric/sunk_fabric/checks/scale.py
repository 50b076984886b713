"""Collectives within a host, and between hosts: what GPUs and adapters can carry."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.active.sharp_sides import OFF, ON, is_side
from sunk_fabric.checks.answers import each, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.limits import Limit
from sunk_fabric.parse import nccl_log, nccl_tests
from sunk_fabric.parse.nccl_tests import Results
from sunk_jobs.networks.nccl_log import NcclLog

LEAST_BYTES = 1 << 30
"""Smaller messages do not fill all adapters. Proposal."""
WARN_DROP, FAIL_DROP = 0.05, 0.10
"""For each doubling of the hosts. Proposal."""
LEAST_RUNS = 3
RINGED = frozenset({"AllReduce", "AllGather", "ReduceScatter"})

WITHIN_A_HOST = {
    "A100": (215.0, 228.0),
    "B200": (740.0, 800.0),
    "H100 80GB HBM3": (430.0, 460.0),
    "H200": (431.0, 455.0),
}
"""Model -> bus bandwidth of AllReduce on eight GPUs in 10⁹ bytes per second: what fails below it,
what passes. Near what is published for each; proposal."""
GPUS = 8


@dataclass(frozen=True, slots=True)
class _Measured:
    """One run of which the log tells what it was."""

    run: Reading[Results]
    log: Reading[NcclLog]
    collective: str
    bus_gb_per_s: float
    adapters: int


def within_host(facts: Facts) -> Iterator[Answer]:
    """Eight GPUs of a host reach what is known of their model."""
    logs = {one.name: one for one in sound(facts, nccl_log.parse)}

    def judge(reading: Reading[Results]) -> Iterator[Answer]:
        subject = subjects.run(reading.name or reading.path)
        log = logs.get(reading.name)
        used = (reading, log) if log else (reading,)
        yield said(*_within(reading.parsed.value, log), subject, *used)

    yield from each(facts, nccl_tests.parse, judge)


def _within(run: Results, log: Reading[NcclLog] | None) -> tuple[Verdict, str]:
    row = max(run.rows, key=lambda one: one.size_bytes)
    known = next((one for one in sorted(WITHIN_A_HOST) if all(one in m for m in run.models)), "")
    processes = log.parsed.value.processes.values() if log else ()
    tuned = {t.collective for one in processes for t in one.tuned if t.size_bytes == row.size_bytes}
    if run.hosts > 1:
        return Verdict.SKIP, "it ran on several hosts"
    if tuned != {"AllReduce"}:
        words = ", ".join(sorted(tuned)) or "no NCCL log of the same name tells of what"
        return Verdict.UNKNOWN, f"{words}; of AllReduce alone rates are known"
    if run.ranks != GPUS or not run.models or not known:
        words = f"{run.ranks} x {', '.join(run.models) or 'a GPU'}"
        return Verdict.UNKNOWN, f"{words}: no rate is known of these"
    if row.size_bytes < LEAST_BYTES:
        return Verdict.UNKNOWN, f"messages of {row.size_bytes} bytes are small: run to 8 GiB"
    least, usual = WITHIN_A_HOST[known]
    rate = row.bus_gb_per_s[0]
    words = f"{rate:g} GB/s, {usual:g} is usual of {run.models[0]}"
    if rate < least:
        return Verdict.FAIL, words
    return (Verdict.PASS if rate >= usual else Verdict.WARN), words


def bandwidth(facts: Facts) -> Iterator[Answer]:
    """Rings reach a share of what the adapters carry, and lose little when hosts are doubled."""
    logs = {one.name: one for one in sound(facts, nccl_log.parse)}
    rate = facts.expected.port_gbit_per_s
    limit = facts.expected.limit("nccl.bandwidth.scale")
    known: list[_Measured] = []

    def judge(reading: Reading[Results]) -> Iterator[Answer]:
        subject = subjects.run(reading.name or reading.path)
        found = _measured(reading, logs.get(reading.name))
        if reading.parsed.value.hosts < 2:
            yield said(Verdict.SKIP, "it ran on one host", subject, reading)
        elif isinstance(found, str):
            yield said(Verdict.UNKNOWN, found, subject, reading)
        else:
            known.append(found)
            yield said(*_share(found, rate, limit), subject, reading, found.log)

    yield from each(facts, nccl_tests.parse, judge)
    yield from _growth(known)


def _measured(reading: Reading[Results], log: Reading[NcclLog] | None) -> _Measured | str:
    """Return the largest message with what the log says of it, or why it says too little."""
    row = max(reading.parsed.value.rows, key=lambda one: one.size_bytes)
    if row.size_bytes < LEAST_BYTES:
        return f"messages of {row.size_bytes} bytes do not fill the adapters: run to 8 GiB"
    if log is None:
        return "there is no NCCL log of the same name: which way it went is not proved"
    processes = log.parsed.value.processes.values()
    tuned = {one for each in processes for one in each.tuned if one.size_bytes == row.size_bytes}
    collectives, algorithms = {one.collective for one in tuned}, {one.algorithm for one in tuned}
    if len(collectives) != 1 or algorithms != {"RING"} or not collectives <= RINGED:
        names = ", ".join(sorted(f"{one.collective} {one.algorithm}" for one in tuned))
        return f"{names or 'an unknown algorithm'}: a ring measures the wire, NCCL_ALGO=RING"
    adapters = max((len({one.name for one in each.hcas}) for each in processes), default=0)
    if not adapters:
        return "the NCCL log does not list the adapters"
    return _Measured(reading, log, collectives.pop(), row.bus_gb_per_s[0], adapters)


def _share(one: _Measured, rate: float | None, limit: Limit) -> tuple[Verdict, str]:
    words = f"{one.collective} on {one.run.parsed.value.hosts} hosts: {one.bus_gb_per_s:g} GB/s"
    if rate is None:
        return Verdict.UNKNOWN, f"{words}; the port's rate is not declared"
    ceiling = one.adapters * rate / 8
    share = one.bus_gb_per_s / ceiling
    words = f"{words} is {share:.2f} of {one.adapters} x {rate:g} Gb/s"
    if share > 1.0:
        return Verdict.UNKNOWN, f"{words}, more than they carry"
    words += limit.words
    if share < limit.failing:
        return Verdict.FAIL, words
    return (Verdict.PASS if share >= limit.passing else Verdict.WARN), words


def _growth(known: list[_Measured]) -> Iterator[Answer]:
    for collective in sorted({one.collective for one in known}):
        best: dict[int, _Measured] = {}
        for one in (run for run in known if run.collective == collective):
            hosts = one.run.parsed.value.hosts
            if hosts not in best or one.bus_gb_per_s > best[hosts].bus_gb_per_s:
                best[hosts] = one
        sizes = sorted(best)
        for small, large in pairwise(sizes):
            before, after = best[small].bus_gb_per_s, best[large].bus_gb_per_s
            drop = 1 - (after / before) ** (1 / math.log2(large / small)) if before else 0.0
            verdict = Verdict.WARN if drop > WARN_DROP else Verdict.PASS
            words = f"{collective} from {small} to {large} hosts: {before:g} to {after:g} GB/s"
            subject = subjects.run(best[large].run.name or best[large].run.path, "growth")
            used = (best[small].run, best[large].run)
            words = f"{words}, {drop:.1%} less for each doubling"
            yield said(Verdict.FAIL if drop > FAIL_DROP else verdict, words, subject, *used)


def variance(facts: Facts) -> Iterator[Answer]:
    """Runs of the same ranks and sizes agree about their largest message."""
    limit = facts.expected.limit("nccl.bandwidth.variance")
    runs: dict[tuple[int, int, tuple[int, ...]], list[Reading[Results]]] = {}

    def gather(reading: Reading[Results]) -> Iterator[Answer]:
        run = reading.parsed.value
        sizes = tuple(one.size_bytes for one in run.rows)
        if not any(is_side(reading.name, side) for side in (ON, OFF)):
            runs.setdefault((run.ranks, run.hosts, sizes), []).append(reading)
        return iter(())

    yield from each(facts, nccl_tests.parse, gather)
    for (ranks, hosts, sizes), readings in sorted(runs.items()):
        name = readings[0].name or readings[0].path
        rates = [one.parsed.value.rows[-1].bus_gb_per_s[0] for one in readings]
        words = f"{len(rates)} runs of {ranks} GPUs on {hosts} hosts, {sizes[-1]} bytes"
        middle = statistics.mean(rates)
        if len(rates) < LEAST_RUNS or not middle:
            words = f"{words}: {LEAST_RUNS} at least show how much they vary"
            yield said(Verdict.UNKNOWN, words, subjects.run(name, "repeated"), *readings)
            continue
        spread = statistics.stdev(rates) / middle
        verdict = Verdict.WARN if spread > limit.passing else Verdict.PASS
        verdict = Verdict.FAIL if spread > limit.failing else verdict
        words = f"{words}: {spread:.1%} of {middle:.1f} GB/s{limit.words}"
        yield said(verdict, words, subjects.run(name, "repeated"), *readings)
