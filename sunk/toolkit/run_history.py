"""What a run folder says about the run's attempts; changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sunk.model.accounting import Allocation
from sunk.model.slurm import JobId
from sunk.toolkit.runs import Run
from sunk.toolkit.script import SCRIPT_FILE
from sunk_jobs.triage import COMPLETE, LEDGER, Attempt, committed_step, judge, read_ledger

_NUMBERED = re.compile(r"(?:heartbeat\.\d+|\d+)\.(\d+)\.(?:jsonl|log)")
_RECORDED = re.compile(r"(?:map|fabric|versions)\.(\d+)(?:\..*)?")
_FAILED = 1


def attempts(run: Path) -> tuple[Attempt, ...]:
    """Return the attempts that were judged, oldest first."""
    return read_ledger(_ledger(run))


def verdict(run: Path, number: int) -> dict[str, Any] | None:
    """Return the ledger's line for an attempt, or None where it was not judged.

    Lines of older versions say less; what they do not say is empty.
    """
    for line in reversed(_ledger(run).splitlines()):
        try:
            raw = json.loads(line)
        except ValueError:
            continue
        if read_ledger(line) and int(raw["attempt"]) == number:
            return {**_UNSAID, **raw}
    return None


def unjudged(run: Path, number: int) -> dict[str, Any]:
    """Return what the logs of an attempt say, in the form of the ledger; nothing was decided."""
    return judge(run, number, _FAILED)


def last_attempt(run: Path) -> int | None:
    """Return the number of the newest attempt that left anything; None before the first."""
    found = [one.number for one in attempts(run)]
    found += [
        int(match[1])
        for file in (run / "logs").glob("*")
        if (match := _NUMBERED.fullmatch(file.name))
    ]
    found += [
        int(match[1])
        for file in (run / "record").glob("*")
        if (match := _RECORDED.fullmatch(file.name))
    ]
    return max(found, default=None)


def committed(run: Path) -> int | None:
    """Return the last step of a complete checkpoint of the run; None without."""
    return committed_step(file.parent.name for file in run.glob(COMPLETE))


def judges_itself(run: Path) -> bool:
    """Return whether the run's script judges its attempts; without a script it is taken to."""
    try:
        return "sunk_jobs.triage" in (run / SCRIPT_FILE).read_text(errors="replace")
    except OSError:
        return True


def jobs_of(run: Run) -> tuple[JobId, ...]:
    """Return the run's jobs in the order in which they went on; empty before it was submitted."""
    return tuple(job_id for job_id, _ in _jobs(run))


def _jobs(run: Run) -> Iterator[tuple[JobId, int]]:
    """Yield the run's jobs, each with the number of its first attempt."""
    if run.job_id is not None:
        yield run.job_id, 0
    files = (run.folder / "record").glob("successor.*")
    for number in sorted(int(file.suffix[1:]) for file in files if file.suffix[1:].isdecimal()):
        name = successor(run.folder, number)
        if name.isdecimal():
            yield JobId(int(name)), number + 1


def allocations_of(
    run: Run, accounted: Mapping[JobId, Sequence[Allocation]]
) -> dict[int, Allocation]:
    """Return the allocation of each attempt that Slurm's accounting knows.

    Args:
        run: the run.
        accounted: each run of its jobs, oldest first. One that never got nodes was no attempt.
    """
    found: dict[int, Allocation] = {}
    for job_id, first in _jobs(run):
        started = (one for one in accounted.get(job_id, ()) if one.start_time is not None)
        found |= dict(enumerate(started, first))
    return found


def job_of_attempt(run: Run, number: int) -> tuple[JobId, int] | None:
    """Return the job that an attempt belongs to, and which of its runs it was, from 0."""
    if run.job_id is None:
        return None
    found = (run.job_id, number)
    for before in range(number):
        name = successor(run.folder, before)
        if name.isdecimal():
            found = (JobId(int(name)), number - before - 1)
    return found


def successor(run: Path, number: int) -> str:
    """Return the number of the job that goes on after an attempt; empty where there is none."""
    try:
        return (run / "record" / f"successor.{number}").read_text().strip().partition(";")[0]
    except OSError:
        return ""


_UNSAID: dict[str, Any] = {
    **{"rank": None, "node": "", "failed_s": None, "text": ""},
    **{"repeated": 0, "consequences": 0, "ranks": 0, "exclude": [], "reason": ""},
    **{"recommended": [], "rollback": None, "first_exit": ""},
}


def _ledger(run: Path) -> str:
    try:
        return (run / LEDGER).read_text(errors="replace")
    except OSError:
        return ""
