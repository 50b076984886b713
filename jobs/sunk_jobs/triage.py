"""What becomes of a run after an attempt: start again, on other nodes, or stop.

The batch script calls it last and acts on the one line that it prints:

- ``requeue``: the same job again;
- ``exclude=<hostlist>``: a successor that keeps off these nodes; with an empty list any nodes;
- ``stop``: nothing more.

The decision is a pure function of the status, of what the logs say, of what earlier attempts came
to (``record/ledger.jsonl``), of Slurm's topology and of the last committed step
(``ckpt/step_*/MANIFEST.json``). Whatever the class: two restarts without a newer committed step
are the end. What an operator should do is only recommended, on stderr and in the ledger.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sunk_jobs.failures import advice, rollback
from sunk_jobs.failures.evidence import Evidence, gather
from sunk_jobs.failures.signs import Sign
from sunk_jobs.placement.hostlist import LITERAL

NOTHING = Evidence(first=None)
LEDGER = Path("record") / "ledger.jsonl"
COMPLETE = "ckpt/step_*/MANIFEST.json"
"""In a run folder: what each complete checkpoint has."""
RESTARTS_WITHOUT_PROGRESS = 2
_STEP = re.compile(r"step_(\d{1,18})")


class Class(StrEnum):
    """What an attempt came to."""

    DONE = "done"
    SAVED = "saved"
    PARTIAL = "saved partially"
    NO_RESTART = "do not restart"
    GPU = "GPU hardware"
    FABRIC = "fabric"
    HOST_MEMORY = "host out of memory"
    GPU_MEMORY = "GPU out of memory"
    STORAGE_FULL = "storage full"
    STORAGE = "storage error"
    NOT_FINITE = "loss not finite"
    ROLL_BACK = "loss not finite, back to an earlier checkpoint"
    NO_PROGRAM = "program not found"
    CODE = "code error"
    HANG = "hang"
    OTHER = "other"


_OF_STATUS = {0: Class.DONE, 75: Class.SAVED, 76: Class.PARTIAL, 93: Class.NO_RESTART}
BUDGETS: Mapping[Class, int | None] = {
    Class.DONE: 0,
    Class.SAVED: None,
    Class.PARTIAL: None,
    Class.NO_RESTART: 0,
    Class.GPU: 5,
    Class.FABRIC: 3,
    Class.HOST_MEMORY: 1,
    Class.GPU_MEMORY: 0,
    Class.STORAGE_FULL: 0,
    Class.STORAGE: 2,
    Class.NOT_FINITE: 0,
    Class.ROLL_BACK: 1,
    # One node may lack what all others have; where all lack it, once more tells.
    Class.NO_PROGRAM: 1,
    Class.CODE: 0,
    Class.HANG: 3,
    Class.OTHER: 3,
}
"""Restarts that a class may cost a run in all; None: as many as make progress."""


_OF_SIGN = {
    Sign.GPU: Class.GPU,
    Sign.FABRIC: Class.FABRIC,
    Sign.HOST_MEMORY: Class.HOST_MEMORY,
    Sign.GPU_MEMORY: Class.GPU_MEMORY,
    Sign.STORAGE_FULL: Class.STORAGE_FULL,
    Sign.STORAGE: Class.STORAGE,
    Sign.NOT_FINITE: Class.NOT_FINITE,
    Sign.NO_PROGRAM: Class.NO_PROGRAM,
}
_OF_NODES = frozenset({Class.GPU, Class.FABRIC})
"""Classes that are a node's fault: a successor keeps off it."""


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
        node: where it failed first; empty when that is not known.
        exclude: nodes that its successor keeps off.
        log_bytes: how long the job's own log was then.
    """

    number: int
    status: int
    kind: Class
    action: Action
    step: int | None
    node: str = ""
    exclude: tuple[str, ...] = ()
    log_bytes: int = 0


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


def classify(status: int, evidence: Evidence = NOTHING) -> Class:
    """Return the class of an attempt.

    Args:
        status: of the main step; what a program of ours says of itself is believed.
        evidence: what its logs say.
    """
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    first = evidence.first
    if first is None:
        return Class.HANG if evidence.timed_out else Class.OTHER
    if first.found.sign is Sign.EXCEPTION:
        # One rank's exception may be its node's or its data's; everybody's is the program's.
        return Class.CODE if first.repeated == evidence.ranks > 1 else Class.OTHER
    return _OF_SIGN[first.found.sign]


def decide(
    kind: Class,
    history: Sequence[Attempt],
    step: int | None,
    node: str = "",
    leaf: tuple[str, Sequence[str]] = ("", ()),
) -> Decision:
    """Return what to do after an attempt.

    Args:
        kind: its class.
        history: the attempts before it, oldest first.
        step: the last committed step now.
        node: where it failed first; empty when that is not known.
        leaf: name of that node's leaf, and all nodes on it; nothing when it is not known.
    """
    budget = BUDGETS[kind]
    if budget == 0:
        return Decision(kind, Action.STOP, f"{kind}: no restart")
    if idle_restarts(history, step) >= RESTARTS_WITHOUT_PROGRESS:
        newer = "a step" if step is None else f"a step after {step}"
        reason = f"{RESTARTS_WITHOUT_PROGRESS} restarts did not commit {newer}"
        return Decision(kind, Action.STOP, reason)
    spent = spent_on(kind, history)
    if budget is not None and spent >= budget:
        return Decision(kind, Action.STOP, f"{kind}: {spent} restarts of {budget} are spent")
    reason = f"{kind}: step {step} is committed" if step else str(kind)
    bad = {node} if node and _is_its_fault(kind, node, history) else set()
    if kind is not Class.PARTIAL and not bad:
        return Decision(kind, Action.REQUEUE, reason)
    if kind is Class.FABRIC and (whole := _bad_leaf(node, history, leaf[1])):
        bad.update(whole)
        reason = f"{reason}; it hit several nodes of {leaf[0]}, so all of them are kept off"
    # A requeue cannot change what a job keeps off, and a successor knows only what it is told.
    bad.update(*(one.exclude for one in history))
    return Decision(kind, Action.SUCCESSOR, reason, tuple(sorted(bad)))


def _bad_leaf(node: str, history: Sequence[Attempt], leaf: Sequence[str]) -> tuple[str, ...]:
    before = [one.node for one in history if one.kind is Class.FABRIC]
    return advice.shared_leaf(node, before, leaf)


def recommended(kind: Class, node: str, words: str, history: Sequence[Attempt]) -> tuple[str, ...]:
    """Return commands for an operator: a node with a broken GPU, or that hung twice, is drained.

    A fabric's failure is seen at both ends: which one is broken is not told by one of them.
    """
    if kind is Class.FABRIC or not node or not _is_its_fault(kind, node, history):
        return ()
    return (advice.drain_command(node, words or str(kind)),)


def spent_on(kind: Class, history: Sequence[Attempt]) -> int:
    """Return how many restarts a class has cost a run."""
    return sum(1 for one in history if one.kind is kind and one.action is not Action.STOP)


def _is_its_fault(kind: Class, node: str, history: Sequence[Attempt]) -> bool:
    if LITERAL.fullmatch(node) is None:
        return False
    again = any(one.kind is kind and one.node == node for one in history)
    return kind in _OF_NODES or (kind is Class.HANG and again)


def idle_restarts(history: Sequence[Attempt], step: int | None) -> int:
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
            node=str(raw.get("node", "")),
            exclude=tuple(str(one) for one in raw.get("exclude", ())),
            log_bytes=int(raw.get("log_bytes", 0)),
        )
    except (ValueError, KeyError, TypeError):
        return None


def entry(
    number: int,
    status: int,
    decision: Decision,
    step: int | None,
    evidence: Evidence = NOTHING,
) -> dict[str, Any]:
    """Return the line that the ledger gets."""
    first = evidence.first
    return {
        "schema": "sunk.dev/triage/v1",
        "attempt": number,
        "rc": status,
        "class": str(decision.kind),
        "action": str(decision.action),
        "reason": decision.reason,
        "exclude": list(decision.exclude),
        "step": step,
        "rank": evidence.missing if first is None else first.rank,
        "node": evidence.missing_node if first is None else first.node,
        "failed_s": None if first is None else first.time,
        "text": "" if first is None else first.found.text,
        "repeated": 0 if first is None else first.repeated,
        "consequences": evidence.consequences,
        "ranks": evidence.ranks,
        "first_exit": evidence.first_exit,
    }


def verdict_line(line: Mapping[str, Any]) -> str:
    """Return what the batch script reads, of a line of the ledger."""
    if line["action"] == Action.SUCCESSOR:
        return f"exclude={','.join(line['exclude'])}"
    return str(line["action"])


def judge(run: Path, number: int, status: int) -> dict[str, Any]:
    """Return the ledger's line for an attempt, from what lies in the run folder; write nothing."""
    ledger = run / LEDGER
    earlier = read_ledger(ledger.read_text(errors="replace")) if ledger.exists() else ()
    history = [one for one in earlier if one.number < number]
    log_from = history[-1].log_bytes if history else 0
    # A program that says itself what its end means is not asked for evidence.
    known = status in _OF_STATUS
    evidence = NOTHING if known else gather(run, number, log_from)
    complete = [file.parent.name for file in run.glob(COMPLETE)]
    step = committed_step(complete)
    failed_step = None if known else rollback.not_finite_step(run, number)
    way = _way_back(number, complete, failed_step)
    kind = classify(status, evidence)
    if failed_step is not None:
        kind = Class.NOT_FINITE if way is None else Class.ROLL_BACK
    line = entry(number, status, Decision(kind, Action.STOP, ""), step, evidence)
    node = str(line["node"])
    decision = decide(kind, history, step, node, _leaf(run, number, node))
    log = run / "job.log"
    goes_back = way is not None and decision.action is not Action.STOP
    return entry(number, status, decision, step, evidence) | {
        "log_bytes": log.stat().st_size if log.exists() else 0,
        "recommended": list(recommended(kind, node, line["text"], history)),
        "rollback": asdict(way) if way is not None and goes_back else None,
    }


def _way_back(
    number: int, complete: Iterable[str], failed_step: int | None
) -> rollback.Rollback | None:
    """Return the way back of the next attempt, where the program can go it and there is one."""
    if failed_step is None:
        return None
    steps = (step for name in complete if (step := committed_step([name])) is not None)
    return rollback.plan(number + 1, steps, failed_step)


def _leaf(run: Path, number: int, node: str) -> tuple[str, tuple[str, ...]]:
    try:
        text = (run / "record" / f"topology.{number}").read_text(errors="replace")
    except OSError:
        return "", ()
    return advice.leaf_of(text, node)


def main(words: Sequence[str] | None = None) -> int:
    """Decide, note it in the ledger, print the line."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.triage", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--rc", type=int, required=True, help="exit status of the main step")
    options = parser.parse_args(words)
    line = judge(options.run, options.attempt, options.rc)
    if line["rollback"] is not None:
        rollback.write(options.run, rollback.Rollback(**line["rollback"]))
    ledger = options.run / LEDGER
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with ledger.open("a") as sink:
        sink.write(json.dumps(line | {"time_s": round(time.time(), 3)}, sort_keys=True) + "\n")
    sys.stderr.write(
        f"triage: attempt {options.attempt} ended with {options.rc}; {line['reason']}\n"
    )
    for command in line["recommended"]:
        sys.stderr.write(f"triage: an operator may want to run: {command}\n")
    sys.stdout.write(f"{verdict_line(line)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
