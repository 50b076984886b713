"""Nodes that health checks take out of use, and whether they come back and stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import slurm_events
from sunk_fabric.parse.slurm_events import SlurmEvent

HOUR, DAY = 3600, 86_400
LOOP = 3
"""Drains of one node for one reason in an hour that no mending explains; in a day, that somebody
should look at. Proposal."""


def loop(facts: Facts) -> Iterator[Answer]:
    """A node that was drained came back, and did not go again and again for the same reason."""

    def judge(reading: Reading[tuple[SlurmEvent, ...]]) -> Iterator[Answer]:
        of_node: dict[str, list[SlurmEvent]] = defaultdict(list)
        for event in reading.parsed.value:
            if event.drained:
                of_node[event.node].append(event)
        for name, events in sorted(of_node.items()):
            yield said(*_judged(events), subjects.node(name), reading)
        if not of_node:
            words = "no node was drained and came back in a week: make a check fail on purpose"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)

    yield from each(facts, slurm_events.parse, judge)


def _judged(events: Sequence[SlurmEvent]) -> tuple[Verdict, str]:
    starts: dict[str, list[int]] = defaultdict(list)
    for one in events:
        starts[one.reason].append(one.start)
    for seconds, words, verdict in ((HOUR, "an hour", Verdict.FAIL), (DAY, "a day", Verdict.WARN)):
        for reason, began in sorted(starts.items()):
            most = _most_within(sorted(began), seconds)
            if most >= LOOP:
                return verdict, f"drained {most} times within {words}: {reason or 'no reason'}"
    back = sum(one.end is not None for one in events)
    told = f"drained {_times(len(events))}, came back {_times(back)}"
    if not back:
        return Verdict.UNKNOWN, f"{told}: {events[-1].reason or 'no reason'}"
    return Verdict.PASS, told


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _most_within(starts: Sequence[int], seconds: int) -> int:
    """Return how many of these sorted times lie within a span, at most."""
    most, first = 0, 0
    for last, start in enumerate(starts):
        while start - starts[first] > seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
