"""What becomes of a run after an attempt: start again, on other nodes, or stop.

The batch script calls it last and acts on the one line that it prints:

- ``requeue``: the same job again;
- ``exclude=<hostlist>``: a successor that keeps off these nodes; with an empty list any nodes;
- ``stop``: nothing more.

The decision is a pure function of the status, of what earlier attempts came to
(``record/ledger.jsonl``) and of the last committed step (``ckpt/step_*/MANIFEST.json``). Whatever
the class: two restarts without a newer committed step are the end.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

LEDGER = Path("record") / "ledger.jsonl"
RESTARTS_WITHOUT_PROGRESS = 2
_STEP = re.compile(r"step_(\d{1,18})")


class Class(StrEnum):
    """What an attempt came to."""

    DONE = "done"
    SAVED = "saved"
    PARTIAL = "saved partially"
    NO_RESTART = "do not restart"
    OTHER = "other"


_OF_STATUS = {0: Class.DONE, 75: Class.SAVED, 76: Class.PARTIAL, 93: Class.NO_RESTART}
BUDGETS: Mapping[Class, int | None] = {
    Class.DONE: 0,
    Class.SAVED: None,
    Class.PARTIAL: None,
    Class.NO_RESTART: 0,
    Class.OTHER: 3,
}
"""Restarts that a class may cost a run in all; None: as many as make progress."""


class Action(StrEnum):
    """What to do."""

    REQUEUE = "requeue"
    SUCCESSOR = "successor"
    STOP = "stop"


@dataclass(frozen=True)
class Attempt:
    """One attempt, as the ledger has it.

    Attributes:
        number: from 0.
        status: exit status of the main step.
        kind: its class.
        action: what was done after it.
        step: the last step that was committed after it; None when none was.
    """

    number: int
    status: int
    kind: Class
    action: Action
    step: int | None


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    Attributes:
        kind: class of the attempt.
        action: what to do.
        reason: one clause for people.
        exclude: nodes that a successor keeps off.
    """

    kind: Class
    action: Action
    reason: str
    exclude: tuple[str, ...] = ()

    def line(self) -> str:
        """Return what the batch script reads."""
        if self.action is Action.SUCCESSOR:
            return f"exclude={','.join(self.exclude)}"
        return str(self.action)


def classify(status: int) -> Class:
    """Return the class that an exit status means by itself."""
    return _OF_STATUS.get(status, Class.OTHER)


def decide(kind: Class, history: Sequence[Attempt], step: int | None) -> Decision:
    """Return what to do after an attempt.

    Args:
        kind: its class.
        history: the attempts before it, oldest first.
        step: the last committed step now.
    """
    budget = BUDGETS[kind]
    if budget == 0:
        return Decision(kind, Action.STOP, f"{kind}: no restart")
    if _idle_restarts(history, step) >= RESTARTS_WITHOUT_PROGRESS:
        reason = f"{RESTARTS_WITHOUT_PROGRESS} restarts committed no step after {step}"
        return Decision(kind, Action.STOP, reason)
    spent = sum(1 for one in history if one.kind is kind and one.action is not Action.STOP)
    if budget is not None and spent >= budget:
        return Decision(kind, Action.STOP, f"{kind}: {spent} restarts of {budget} are spent")
    action = Action.SUCCESSOR if kind is Class.PARTIAL else Action.REQUEUE
    return Decision(kind, action, f"{kind}: step {step} is committed" if step else str(kind))


def _idle_restarts(history: Sequence[Attempt], step: int | None) -> int:
    """Return how many attempts on end, the last included, committed nothing newer."""
    idle = 0
    now = -1 if step is None else step
    for one in reversed(history):
        before = -1 if one.step is None else one.step
        if now > before:
            break
        idle += 1
        now = before
    return idle


def committed_step(names: Iterable[str]) -> int | None:
    """Return the last step among the names of complete checkpoints."""
    steps = [int(found[1]) for name in names if (found := _STEP.fullmatch(name))]
    return max(steps, default=None)


def read_ledger(text: str) -> tuple[Attempt, ...]:
    """Return the attempts in a ledger; lines of other writers, and torn ones, are passed over."""
    found = (_attempt(line) for line in text.splitlines())
    return tuple(one for one in found if one is not None)


def _attempt(line: str) -> Attempt | None:
    try:
        raw = json.loads(line)
        step = raw["step"]
        return Attempt(
            number=int(raw["attempt"]),
            status=int(raw["rc"]),
            kind=Class(raw["class"]),
            action=Action(raw["action"]),
            step=None if step is None else int(step),
        )
    except (ValueError, KeyError, TypeError):
        return None


def entry(number: int, status: int, decision: Decision, step: int | None) -> dict[str, Any]:
    """Return the line that the ledger gets."""
    return {
        "schema": "sunk.dev/triage/v1",
        "attempt": number,
        "rc": status,
        "class": str(decision.kind),
        "action": str(decision.action),
        "reason": decision.reason,
        "exclude": list(decision.exclude),
        "step": step,
    }


def main(words: Sequence[str] | None = None) -> int:
    """Decide, note it in the ledger, print the line."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.triage", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--rc", type=int, required=True, help="exit status of the main step")
    options = parser.parse_args(words)
    ledger = options.run / LEDGER
    earlier = read_ledger(ledger.read_text(errors="replace")) if ledger.exists() else ()
    history = [one for one in earlier if one.number < options.attempt]
    complete = (file.parent.name for file in options.run.glob("ckpt/step_*/MANIFEST.json"))
    step = committed_step(complete)
    decision = decide(classify(options.rc), history, step)
    line = entry(options.attempt, options.rc, decision, step) | {"time_s": round(time.time(), 3)}
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a") as sink:
        sink.write(json.dumps(line, sort_keys=True) + "\n")
    sys.stderr.write(
        f"triage: attempt {options.attempt} ended with {options.rc}; {decision.reason}\n"
    )
    sys.stdout.write(f"{decision.line()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
