"""Runs of one program, with reductions in the network and without: the gain, if each is proved."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.active.sharp_sides import OFF, ON, is_side
from sunk_fabric.checks.answers import missing, said, sound, trouble
from sunk_fabric.checks.in_network import channels, refusals
from sunk_fabric.facts import Facts, Parser, Reading
from sunk_fabric.parse import collectives, nccl_log, nccl_tests, osu
from sunk_fabric.parse.sharp_lines import SharpLog
from sunk_jobs.networks.nccl_log import NcclLog

ALL_REDUCE = "AllReduce"
IN_NETWORK = frozenset({"COLLNETDIRECT", "COLLNETCHAIN", "NVLS"})
"""Algorithms of NCCL that reduce in the network where it has channels there; between nodes NVLS
does so as well, as without such channels NCCL takes NVLSTREE."""


@dataclass(frozen=True, slots=True)
class _Run:
    """All-reduces of one run.

    Attributes:
        reading: where it stands.
        ranks: how many.
        hosts: theirs by name, or how many where the program counts them alone.
        gb_per_s: size in bytes -> size over time of a call.
    """

    reading: Reading[Any]
    ranks: int
    hosts: tuple[str, ...] | int
    gb_per_s: Mapping[int, float]

    @property
    def host_count(self) -> int:
        """Return on how many hosts it ran."""
        return self.hosts if isinstance(self.hosts, int) else len(set(self.hosts))


@dataclass(frozen=True, slots=True)
class _Proof:
    """What other texts say of the way that a run took.

    Attributes:
        readings: those.
        wrong: why the run is not what its name claims, or nobody knows; empty when it is.
        sizes: those of which the way is known; nothing for all.
    """

    readings: tuple[Reading[Any], ...]
    wrong: str = ""
    sizes: frozenset[int] | None = None


def sharp(facts: Facts) -> Iterator[Answer]:
    """Size over time with, over that without; the bus bandwidth's formula favours the network."""
    runs = sorted(_runs(facts), key=lambda one: one.reading.name)
    sides = {side: [one for one in runs if is_side(one.reading.name, side)] for side in (ON, OFF)}
    there = [one for side in sides.values() for one in side]
    unsound = [one for one in _readings(facts) if trouble(one)]
    if unsound:
        words = f"{unsound[0].name}: {trouble(unsound[0])}"
        yield said(Verdict.UNKNOWN, words, subjects.run(ON), *unsound)
    elif not there:
        yield missing(nccl_tests.parse)
    elif not all(sides.values()):
        words = f"{there[0].reading.name} alone: run it with SHARP and without"
        yield said(Verdict.UNKNOWN, words, subjects.run(ON), *(one.reading for one in there))
    else:
        yield _compared(facts, sides[ON], sides[OFF])


def _readings(facts: Facts) -> Iterator[Reading[Any]]:
    """Yield the texts of both sides, whether a verdict may rest on them or not."""
    parsers: tuple[Parser[Any], ...] = (nccl_tests.parse, collectives.parse, osu.parse)
    for parser in parsers:
        for one in facts.of(parser):
            if any(is_side(one.name, side) for side in (ON, OFF)):
                yield one


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
    for table in sound(facts, osu.parse):
        if table.parsed.value.test == "Allreduce Latency":
            times = table.parsed.value.us
            yield _Run(table, 0, 0, {size: size / us / 1000 for size, us in times.items() if us})


def _compared(facts: Facts, on: list[_Run], off: list[_Run]) -> Answer:
    subject = subjects.run(ON)
    proofs = [_proof(facts, one, used=True) for one in on]
    proofs += [_proof(facts, one, used=False) for one in off]
    readings = [one.reading for one in (*on, *off)]
    readings += [reading for one in proofs for reading in one.readings]
    kinds = sorted({(one.reading.format, one.ranks, str(one.hosts)) for one in (*on, *off)})
    wrong = next((one.wrong for one in proofs if one.wrong), "")
    known = [one.sizes for one in proofs if one.sizes is not None]
    gains = _gains(on, off, known)
    if len(kinds) > 1:
        words = " and ".join(f"{name} of {ranks} ranks" for name, ranks, _ in kinds)
        verdict, words = Verdict.UNKNOWN, f"{words}, or on other hosts: not the same run"
    elif on[0].host_count == 1:
        verdict, words = Verdict.SKIP, "one host has no network to reduce in"
    elif wrong:
        verdict, words = Verdict.UNKNOWN, wrong
    elif not gains:
        verdict, words = Verdict.UNKNOWN, "no size of which the way is known is in all runs"
    else:
        middle = statistics.median(gains)
        words = f"{middle:.2f} times the algorithm bandwidth without, median of {len(gains)} sizes"
        words += f", {len(on)} runs with and {len(off)} without"
        limit = facts.expected.limit("sharp.nccl.gain")
        words += limit.words
        verdict = Verdict.PASS if middle >= limit.passing else Verdict.WARN
        verdict = Verdict.FAIL if middle < limit.failing else verdict
    return said(verdict, words, subject, *readings)


def _gains(on: list[_Run], off: list[_Run], known: Iterable[frozenset[int]]) -> tuple[float, ...]:
    """Return the gain at each size that all runs have and of which every way is known."""
    sizes = set.intersection(*(set(one.gb_per_s) for one in (*on, *off)))
    for some in known:
        sizes &= some
    means = {
        size: [statistics.mean(one.gb_per_s[size] for one in side) for side in (on, off)]
        for size in sorted(sizes)
    }
    return tuple(with_ / without for with_, without in means.values() if without > 0)


def _proof(facts: Facts, run: _Run, *, used: bool) -> _Proof:
    """Return what proves that a run reduced in the network, or that it did not."""
    name = run.reading.name
    if run.reading.format == "osu":
        return _proof_in_text(run, used=used)
    logs = [one for one in sound(facts, nccl_log.parse) if one.name == name]
    if not logs:
        return _Proof((), f"no NCCL log of {name} proves which way it went")
    log = logs[0].parsed.value
    hosts = {one.rpartition(":")[0] for one in log.processes}
    if len(hosts) < run.host_count:
        words = f"the NCCL log of {name} tells of {len(hosts)} of {run.host_count} hosts"
        return _Proof((logs[0],), words)
    ways = _Ways.of(log)
    return _Proof((logs[0],), ways.wrong(name, log, used=used), ways.sizes(used=used))


@dataclass(frozen=True, slots=True)
class _Ways:
    """Algorithms of all-reduces by size, as a log tells them."""

    algorithms: Mapping[int, frozenset[str]]

    @classmethod
    def of(cls, log: NcclLog) -> _Ways:
        """Return what all processes of a log say."""
        found: dict[int, set[str]] = {}
        for process in log.processes.values():
            for one in process.tuned:
                if one.collective == ALL_REDUCE:
                    found.setdefault(one.size_bytes, set()).add(one.algorithm)
        return cls({size: frozenset(names) for size, names in found.items()})

    def sizes(self, *, used: bool) -> frozenset[int]:
        """Return the sizes that went as they were to."""
        return frozenset(
            size
            for size, names in self.algorithms.items()
            if (names <= IN_NETWORK if used else names.isdisjoint(IN_NETWORK))
        )

    def wrong(self, name: str, log: NcclLog, *, used: bool) -> str:
        """Return why a run did not go as it was to, or why nobody knows; empty when it did."""
        refused, count = refusals(log), channels(log)
        others = ", ".join(sorted({one for names in self.algorithms.values() for one in names}))
        if used and refused:
            return f"{name} did without: {refused[0]}"
        if used and not count:
            return f"{name}: no channel goes into the network"
        if not used and count:
            return f"{name} was to do without, and {count} channels go into the network"
        if not self.algorithms:
            return f"{name}: no algorithm is told of; NCCL_DEBUG_SUBSYS with TUNING shows it"
        if not self.sizes(used=used):
            return f"{name}: NCCL chose {others} at every size"
        return ""


def _proof_in_text(run: _Run, *, used: bool) -> _Proof:
    """Return what SHARP's library says between the lines of an MPI program.

    Without SHARP it is not even loaded. That its lines would stand there is shown by the run with.
    """
    said: SharpLog = run.reading.parsed.value.sharp
    name = run.reading.name
    if used and said.errors:
        return _Proof((), f"{name}: {said.errors[0]}")
    if used and not any(one > 1 for one in said.groups):
        words = f"{name}: no communicator reduces in the network, or SHARP_COLL_LOG_LEVEL was not 3"
        return _Proof((), words)
    if not used and said.hosts:
        return _Proof((), f"{name} was to do without, and SHARP's library is at work")
    return _Proof(())
