"""One paragraph on what became of a run's attempt: what failed first, what followed, what was done.

Pure: it is told the lines of the ledger and, for an attempt without one, what the logs say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sunk.errors import clip
from sunk_jobs.triage import (
    BUDGETS,
    RESTARTS_WITHOUT_PROGRESS,
    Action,
    Attempt,
    Class,
    idle_restarts,
    spent_on,
)

_ENDS = {
    Class.DONE: "finished",
    Class.SAVED: "saved all its state and stopped, as it was asked to",
    Class.PARTIAL: "stopped with part of its state saved",
    Class.NO_RESTART: "ended with the word that starting again does not help",
}

_NAMES = {Class.OTHER: "what is not known"}


def paragraph(
    line: Mapping[str, Any], history: Sequence[Attempt], *, successor: str = "", said: str = ""
) -> str:
    """Return the paragraph on an attempt.

    Args:
        line: of the ledger, by `sunk_jobs.triage.entry`.
        history: the attempts before it, oldest first.
        successor: number of the job that goes on; empty when there is none.
        said: what Slurm says of the job; empty when it was not asked or does not know.
    """
    kind = Class(line["class"])
    parts = [
        _end(line, kind),
        *_first(line, kind),
        *_followed(line),
        *([f"Slurm says: {clip(said)}."] if said else ()),
        _done(line, successor),
        *_way_back(line),
        _progress(line),
        *_left(line, kind, history),
        *_recommended(line),
    ]
    return " ".join(parts)


_RUN_ENDS = {
    "PREEMPTED": "another job of a higher priority took its nodes",
    "NODE_FAIL": "Slurm lost one of its nodes",
    "REQUEUED": "somebody requeued it",
    "TIMEOUT": "it reached its time limit",
    "DEADLINE": "it reached its deadline",
    "OUT_OF_MEMORY": "it used more memory than it was given",
    "CANCELLED": "it was cancelled",
    "BOOT_FAIL": "a node did not start",
    "RUNNING": "it still runs",
    "PENDING": "it waits to start",
}


def run_ended(job: str, state: str) -> str:
    """Return what Slurm says of one run of a job, in words.

    Args:
        job: its number.
        state: as sacct prints it; ``CANCELLED by 1001`` names who.
    """
    word, _, rest = state.partition(" ")
    known = _RUN_ENDS.get(word.rstrip("+"))
    meaning = f": {known}{f' {rest}' if rest else ''}" if known else ""
    return f"job {job} {word}{meaning}"


def undecided(line: Mapping[str, Any], said: str = "", *, unjudged: str = "") -> str:
    """Return the paragraph on an attempt whose batch script did not judge it.

    Args:
        line: what its logs say, in the form of the ledger.
        said: what Slurm says of the job.
        unjudged: the template, if its scripts judge nothing; otherwise the script did not live to.
    """
    kind = Class(line["class"])
    known = line["text"] or line["rank"] is not None
    signs = [*_first(line, kind), *_followed(line)] if known else []
    why = "it still runs, or its batch script was ended from outside"
    if unjudged:
        why = f"scripts of template {unjudged} give none"
    return " ".join(
        (
            f"Attempt {line['attempt']} has no verdict: {why}.",
            *(signs or ["No log shows a failure."]),
            *([f"Slurm says: {clip(said)}."] if said else ()),
            *([] if unjudged else [_progress(line)]),
        )
    )


def _end(line: Mapping[str, Any], kind: Class) -> str:
    what = "" if kind is Class.OTHER else f": {kind}"
    how = _ENDS.get(kind, f"failed with exit status {line['rc']}{what}")
    return f"Attempt {line['attempt']} {how}."


def _first(line: Mapping[str, Any], kind: Class) -> list[str]:
    where = f" on {line['node']}" if line["node"] else ""
    if line["text"]:
        who = "the job itself" if line["rank"] is None else f"rank {line['rank']}"
        at = "" if line["failed_s"] is None else f" at {_clock(line['failed_s'])}"
        same = line["repeated"]
        more = f", as on {same} of {line['ranks']} ranks" if same > 1 else ""
        return [f'First was {who}{where}{at}{more}: "{line["text"]}".']
    if kind is Class.HANG:
        if line["rank"] is None:
            return ["A collective timed out; which rank was missing cannot be told."]
        return [f"A collective timed out; all waited for rank {line['rank']}{where}."]
    return ["No log says why."] if kind is Class.OTHER else []


def _followed(line: Mapping[str, Any]) -> list[str]:
    count = line["consequences"]
    if not count or not (line["text"] or line["rank"] is not None):
        return []
    return [f"{count} other rank{'' if count == 1 else 's'} failed after it."]


def _done(line: Mapping[str, Any], successor: str) -> str:
    match Action(line["action"]):
        case Action.REQUEUE:
            return "The job was requeued."
        case Action.SUCCESSOR:
            name = f"Job {successor}" if successor else "A successor"
            off = ", ".join(line["exclude"])
            return f"{name} goes on" + (f" and keeps off {off}." if off else ".")
        case Action.STOP:
            if line["class"] == Class.DONE:
                return "There is nothing left to do."
            return f"Nothing was started again ({line['reason']})."


def _way_back(line: Mapping[str, Any]) -> list[str]:
    way = line["rollback"]
    if not way:
        return []
    skipped = way["skipped_steps"]
    return [f"It goes on from step {way['step']}, past the data of {skipped} steps."]


def _recommended(line: Mapping[str, Any]) -> list[str]:
    commands = "; ".join(line["recommended"])
    return [f"An operator may want to run: {commands}"] if commands else []


def _progress(line: Mapping[str, Any]) -> str:
    return "No step is committed." if line["step"] is None else f"Step {line['step']} is committed."


def _left(line: Mapping[str, Any], kind: Class, history: Sequence[Attempt]) -> list[str]:
    budget = BUDGETS[kind]
    if budget == 0 or kind is Class.DONE:
        return []
    idle = max(0, RESTARTS_WITHOUT_PROGRESS - idle_restarts(history, line["step"]))
    used = 0 if line["action"] == Action.STOP else 1
    idle_left = f"{max(0, idle - used)} of {RESTARTS_WITHOUT_PROGRESS} without a newer step"
    if budget is None:
        return [f"Left: restarts without limit while steps are committed, {idle_left}."]
    left = max(0, budget - spent_on(kind, history) - used)
    return [f"Left: {left} of {budget} restarts for {_NAMES.get(kind, kind)}, {idle_left}."]


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"
