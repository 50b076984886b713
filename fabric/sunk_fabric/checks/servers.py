"""Servers and other programs on UCX: whether what leaves the node goes over RDMA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ucx_log
from sunk_jobs.networks.ucx_log import Lane, Process, UcxLog


def between_nodes(log: UcxLog) -> tuple[Lane, ...]:
    """Return the ways of all processes that leave the node, sorted, each once."""
    return tuple(sorted({lane for one in log.processes.values() for lane in _leaving(one)}))


def _leaving(process: Process) -> tuple[Lane, ...]:
    return tuple(sorted(one for one in process.lanes if one.between_nodes))


def ways_in_words(ways: Iterable[Lane]) -> str:
    """Return transports and devices, each once: ``rc_mlx5 by mlx5_0:1``."""
    return ", ".join(dict.fromkeys(f"{one.transport} by {one.device}" for one in ways))


def transport(facts: Facts) -> Iterator[Answer]:
    """No way between nodes is TCP's, and each process has one over RDMA."""

    def judge(reading: Reading[UcxLog]) -> Iterator[Answer]:
        subject = subjects.run(reading.name or reading.path)
        for name, process in sorted(reading.parsed.value.processes.items()):
            part = f"{subject}/{name}"
            ways = _leaving(process)
            words = ways_in_words(ways)
            if not ways:
                words = "no way between nodes is told of: the server had no peer on another"
                yield said(Verdict.UNKNOWN, words, part, reading)
            elif all(one.rdma for one in ways):
                yield said(Verdict.PASS, words, part, reading)
            else:
                yield said(Verdict.FAIL, words, part, reading)

    yield from each(facts, ucx_log.parse, judge)
