"""When a run's attempts began and ended and did their steps, from the files that they left.

An attempt begins with the first file of its batch script: what came before, such as the start of
nodes, is not seen. It ends with its verdict, or the last file that it wrote.
"""

from __future__ import annotations

import json
from pathlib import Path

from sunk.plan.goodput import Span
from sunk.toolkit.run_history import last_attempt
from sunk_jobs.run_files import heartbeat_file, read_lines
from sunk_jobs.triage import LEDGER


def spans_of(run: Path) -> tuple[Span, ...]:
    """Return the attempts of a run, oldest first; those that left no file are left out."""
    last = last_attempt(run)
    verdicts = _verdicts(run)
    found: list[Span] = []
    for number in range(0 if last is None else last + 1):
        steps = _steps(heartbeat_file(run, 0, number))
        written = _written(run, number)
        begin = min([*written, *(when for _, when in steps[:1])], default=None)
        if begin is None:
            continue
        # Attempts follow each other; where files were touched later they must not overlap.
        start = max(begin, found[-1].end_ms) if found else begin
        end = max([start, verdicts.get(number, 0) or max(written, default=0)])
        found.append(Span(start_ms=start, end_ms=end, steps=steps))
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
