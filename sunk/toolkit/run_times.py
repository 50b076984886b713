"""When a run's attempts began and ended and did their steps.

Slurm's accounting says when each attempt had its nodes. Where it does not, the files that the
attempt left do: it begins with the first file of its batch script, so the start of nodes is not
seen, and ends with its verdict, or the last file that it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sunk.model.accounting import Allocation
from sunk.plan.goodput import Span
from sunk.toolkit.run_history import last_attempt
from sunk_jobs.outputs.run_files import heartbeat_file, read_lines
from sunk_jobs.triage import LEDGER


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedAttempt:
    """One attempt.

    Attributes:
        number: from 0.
        span: when it had its nodes, and its steps.
        allocation: what accounting says of it; None where it does not.
    """

    number: int
    span: Span
    allocation: Allocation | None = None


def timed_attempts(
    run: Path, accounted: Mapping[int, Allocation], now_ms: int
) -> tuple[TimedAttempt, ...]:
    """Return the attempts of a run, oldest first; those of which nothing is known are left out.

    Args:
        run: its folder.
        accounted: what accounting says, by attempt.
        now_ms: the time: one that has not ended lasts until then.
    """
    last = max([*accounted, -1 if (seen := last_attempt(run)) is None else seen], default=-1)
    verdicts = _verdicts(run)
    found: list[TimedAttempt] = []
    for number in range(last + 1):
        steps = _steps(heartbeat_file(run, 0, number))
        allocation = accounted.get(number)
        if allocation is not None and allocation.start_time is not None:
            begin = allocation.start_time * 1000
            ended = allocation.end_time
            end = now_ms if ended is None else ended * 1000
        else:
            written = [*_written(run, number), *(when for _, when in steps[:1])]
            if not written:
                continue
            begin, end = min(written), verdicts.get(number, 0) or max(written)
        # Attempts follow each other; where files were touched later they must not overlap.
        start = max(begin, found[-1].span.end_ms) if found else begin
        span = Span(start_ms=start, end_ms=max(start, end), steps=steps)
        found.append(TimedAttempt(number=number, span=span, allocation=allocation))
    return tuple(found)


def _steps(file: Path) -> tuple[tuple[int, int], ...]:
    try:
        lines = list(read_lines(file))
    except OSError:
        return ()
    done: dict[int, int] = {}
    for line in lines:
        try:
            done[int(line["step"])] = round(float(line["time"]) * 1000)
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(sorted(done.items()))


def _written(run: Path, number: int) -> list[int]:
    names = (f"record/probe.{number}", f"record/map.{number}", f"record/fabric.{number}.*")
    logs = (f"logs/*.{number}.log", f"logs/*.{number}.jsonl", f"control/rc.{number}")
    files = (file for name in (*names, *logs) for file in run.glob(name))
    return [file.stat().st_mtime_ns // 1_000_000 for file in files]


def _verdicts(run: Path) -> dict[int, int]:
    found = {}
    try:
        lines = (run / LEDGER).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        try:
            raw = json.loads(line)
            found[int(raw["attempt"])] = round(float(raw["time_s"]) * 1000)
        except (ValueError, KeyError, TypeError):
            continue
    return found
