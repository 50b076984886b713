"""NCCL: the way that data went, in its own words, and whether results are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import nccl_log, nccl_tests
from sunk_fabric.parse.nccl_tests import Results
from sunk_jobs.networks.nccl_log import NcclLog, Process

HARMFUL = {
    "NCCL_IB_DISABLE": "1",
    "NCCL_P2P_DISABLE": "1",
    "NCCL_SHM_DISABLE": "1",
    "NCCL_NET": "Socket",
}
"""Variable -> value that takes the fast way out of use."""
NOTED = frozenset({"NCCL_IB_GID_INDEX"})
_SHOWN_BY = "NCCL_DEBUG_SUBSYS=INIT,ENV,NET,GRAPH,TUNING shows it"


def each_log(
    facts: Facts, judge: Callable[[Reading[NcclLog], str], Iterable[Answer]]
) -> Iterator[Answer]:
    """Ask about every log of NCCL's, with its run as the subject."""

    def one(reading: Reading[NcclLog]) -> Iterator[Answer]:
        yield from judge(reading, subjects.run(reading.name or reading.path))

    yield from each(facts, nccl_log.parse, one)


def network(facts: Facts) -> Iterator[Answer]:
    """Every process on the declared network, none on sockets."""
    wanted = facts.expected.nccl_network

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        processes = reading.parsed.value.processes
        others = {
            name: sorted(_networks(one) - {wanted}) for name, one in sorted(processes.items())
        }
        wrong = {name: found for name, found in others.items() if found}
        silent = [name for name, one in sorted(processes.items()) if not _networks(one)]
        lost = [name for name, one in sorted(processes.items()) if one.no_device]
        if wrong or lost:
            words = "; ".join(f"{name}: {', '.join(found)}" for name, found in wrong.items())
            words = words or f"no adapter found by {', '.join(lost)}"
            yield said(Verdict.FAIL, words, subject, reading)
        elif silent:
            words = f"{silent[0]} does not say which network it uses; {_SHOWN_BY}"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            words = f"{len(processes)} processes use {wanted}"
            yield said(Verdict.PASS, words, subject, reading)

    yield from each_log(facts, judge)


def _networks(process: Process) -> set[str]:
    """Return the networks that a process names, or that its channels go over."""
    kinds = {
        one.kind.removeprefix("NET/") for one in process.channels if one.kind.startswith("NET/")
    }
    return process.networks | kinds


def gdr(facts: Facts) -> Iterator[Answer]:
    """GPUDirect RDMA on every channel between nodes."""

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        counted: Counter[bool] = Counter()
        staged = set()
        for name, process in reading.parsed.value.processes.items():
            for transport, count in process.channels.items():
                if transport.between_nodes:
                    counted[transport.gdr] += count
                    if not transport.gdr:
                        staged.add(name)
        if counted[False]:
            names = ", ".join(sorted(staged)[:4])
            words = f"{counted[False]} of {counted.total()} channels without it, at {names}"
            yield said(Verdict.FAIL, words, subject, reading)
        elif not counted[True]:
            words = f"no channel between nodes is told of; {_SHOWN_BY}"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            yield said(Verdict.PASS, f"{counted[True]} channels", subject, reading)

    yield from each_log(facts, judge)


def adapters(facts: Facts) -> Iterator[Answer]:
    """The declared adapters on every process, or the same on all."""

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        sets = {
            name: tuple(sorted({one.name for one in process.hcas}))
            for name, process in sorted(reading.parsed.value.processes.items())
        }
        wanted = tuple(sorted(facts.expected.nccl_adapters))
        if not wanted:
            wanted = max(Counter(sets.values()).items(), key=lambda one: (one[1], one[0]))[0]
        other = [name for name, found in sets.items() if found and found != wanted]
        silent = [name for name, found in sets.items() if not found]
        if other:
            words = f"{other[0]} uses {', '.join(sets[other[0]])}, not {', '.join(wanted)}"
            yield said(Verdict.FAIL, words, subject, reading)
        elif silent:
            words = f"{silent[0]} does not list its adapters; {_SHOWN_BY}"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            words = f"{', '.join(wanted)} on {len(sets)} processes"
            yield said(Verdict.PASS, words, subject, reading)

    yield from each_log(facts, judge)


def algorithm(facts: Facts) -> Iterator[Answer]:
    """Some process tells the algorithm of the largest message."""

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        tuned = {one for each in reading.parsed.value.processes.values() for one in each.tuned}
        if not tuned:
            words = f"no algorithm is told of; {_SHOWN_BY}"
            yield said(Verdict.UNKNOWN, words, subject, reading)
            return
        one = max(tuned, key=lambda one: (one.size_bytes, one))
        words = f"{one.collective} of {one.size_bytes} bytes: {one.algorithm} {one.protocol}"
        yield said(Verdict.PASS, words, subject, reading)

    yield from each_log(facts, judge)


def errors(facts: Facts) -> Iterator[Answer]:
    """No warning, no failed completion."""

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        processes = sorted(reading.parsed.value.processes.items())
        bad = [(name, one) for name, one in processes if one.fault_count]
        if bad:
            count = sum(one.fault_count for _, one in bad)
            name, first = bad[0]
            words = f"{count} faults, the first at {name}: {first.faults[0]}"
            yield said(Verdict.FAIL, words, subject, reading)
        elif not any(one.complete for _, one in processes):
            words = "no communicator got ready in this log"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            words = f"{len(processes)} processes without a fault"
            yield said(Verdict.PASS, words, subject, reading)

    yield from each_log(facts, judge)


def environment(facts: Facts) -> Iterator[Answer]:
    """No variable that takes the fast way out of use."""

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        found: dict[str, str] = {}
        for process in reading.parsed.value.processes.values():
            found |= process.environment
        harmful = sorted(
            f"{name}={found[name]}" for name in HARMFUL if found.get(name) == HARMFUL[name]
        )
        noted = sorted(f"{name}={found[name]}" for name in NOTED & found.keys())
        if harmful:
            yield said(Verdict.FAIL, ", ".join(harmful), subject, reading)
        elif noted:
            yield said(Verdict.WARN, ", ".join(noted), subject, reading)
        elif not found:
            words = "no variable is told of; NCCL_DEBUG_SUBSYS with ENV shows them"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            words = f"{len(found)} variables, none harmful"
            yield said(Verdict.PASS, words, subject, reading)

    yield from each_log(facts, judge)


def values(facts: Facts) -> Iterator[Answer]:
    """No wrong value."""

    def judge(reading: Reading[Results]) -> Iterator[Answer]:
        subject = subjects.run(reading.name or reading.path)
        found = reading.parsed.value
        wrong = sum(one.wrong or 0 for one in found.rows)
        if wrong or found.out_of_bounds:
            words = f"{max(wrong, found.out_of_bounds or 0)} wrong values"
            yield said(Verdict.FAIL, words, subject, reading)
        elif any(one.wrong is None for one in found.rows):
            words = "values were not checked: run without -c 0"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            words = f"{len(found.rows)} sizes without a wrong value"
            yield said(Verdict.PASS, words, subject, reading)

    yield from each(facts, nccl_tests.parse, judge)
