"""What sacct prints of allocations, read; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sunk.model.accounting import Allocation
from sunk.model.slurm import JobId

FIELDS = ("JobIDRaw", "State", "Submit", "Start", "End", "AllocTRES")
EPOCH = {"SLURM_TIME_FORMAT": "%s"}
"""Makes sacct print times in seconds since the epoch; its usual ones have no zone."""


def allocations(lines: Iterable[Sequence[str]]) -> dict[JobId, tuple[Allocation, ...]]:
    """Return the runs of each job, oldest first.

    Args:
        lines: the fields of each line, in the order of `FIELDS`; other lines are passed over.
    """
    found: dict[JobId, list[Allocation]] = {}
    for one in _read(lines):
        found.setdefault(one.job_id, []).append(one)
    return {
        job_id: tuple(sorted(runs, key=lambda run: run.submit_time or 0))
        for job_id, runs in found.items()
    }


def _read(lines: Iterable[Sequence[str]]) -> Iterator[Allocation]:
    for words in lines:
        if len(words) != len(FIELDS) or not words[0].isdecimal():
            continue
        number, state, submit, start, end, given = words
        tres = dict(pair.split("=", 1) for pair in given.split(",") if "=" in pair)
        yield Allocation(
            job_id=JobId(int(number)),
            state=state,
            submit_time=_number(submit),
            start_time=_number(start),
            end_time=_number(end),
            nodes=_number(tres.get("node", "")) or 0,
            billing=_number(tres.get("billing", "")) or 0,
        )


def _number(text: str) -> int | None:
    """Return a number; None for ``Unknown``, ``None`` and whatever else stands for no value."""
    return int(text) if text.isascii() and text.isdigit() and int(text) else None
