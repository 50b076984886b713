"""Kubernetes Events for what the bridge did: what `kubectl describe` shows under an object; pure.

One Event for each kind of action on each NodeSet in a round, with the workers' names folded: a
thousand drains are one line, not a thousand.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sunk.bridge.apply import Outcome
from sunk.bridge.daemons import Standing
from sunk.bridge.wishes import Wishes
from sunk.model.hostlist import fold
from sunk.model.kube import KubeObject, name_of
from sunk.model.workers import Snapshot
from sunk.plan.actions import (
    CreatePod,
    DeletePod,
    DeleteRecord,
    Drain,
    Resume,
    TakeDown,
    WorkersAction,
)

# Without a NoteMachine, which tells nobody anything.
_WORDS: dict[type, tuple[str, str]] = {
    CreatePod: ("WorkersCreated", "made Pods of {nodes}"),
    DeletePod: ("WorkersDeleted", "deleted Pods of {nodes}"),
    DeleteRecord: ("RecordsDeleted", "removed {nodes} from Slurm"),
    Drain: ("WorkersDrained", "drained {nodes} in Slurm: {reason}"),
    Resume: ("WorkersResumed", "lifted our drain of {nodes}"),
    TakeDown: ("WorkersTakenDown", "set {nodes} down in Slurm, jobs are requeued: {reason}"),
}
_MESSAGE_LIMIT = 1000
NewName = Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One thing to tell about an object."""

    about: KubeObject
    reason: str
    message: str
    warning: bool = False


def events_of(
    wishes: Wishes,
    seen: Snapshot,
    outcomes: Iterable[Outcome],
    standing: Standing,
    now: dt.datetime,
    *,
    new_name: NewName = lambda: uuid.uuid4().hex[:16],
) -> tuple[KubeObject, ...]:
    """Return the Events of a round.

    Args:
        wishes: the objects that Events are about.
        seen: which worker belongs to which NodeSet.
        outcomes: what was done.
        standing: what was put right.
        now: time of day.
        new_name: gives a name that no other Event has.
    """
    said = [*_of_workers(wishes, seen, outcomes), *_of_objects(wishes, standing)]
    return tuple(_event(one, now, new_name()) for one in said)


def _of_workers(wishes: Wishes, seen: Snapshot, outcomes: Iterable[Outcome]) -> Iterator[_Said]:
    sets = {name_of(one): one for one in wishes.node_sets}
    of_worker = {pod.name: pod.node_set for pod in seen.pods}
    groups: defaultdict[tuple[str, type], list[WorkersAction]] = defaultdict(list)
    for outcome in outcomes:
        action = outcome.action
        owner = action.node_set if isinstance(action, CreatePod) else of_worker.get(action.node, "")
        if outcome.done and type(action) in _WORDS:
            groups[owner, type(action)].append(action)
    for (owner, kind), actions in groups.items():
        about = sets.get(owner) or wishes.head
        if about is not None:
            reason, words = _WORDS[kind]
            why = next((getattr(one, "reason", "") for one in actions), "")
            message = words.format(nodes=fold(one.node for one in actions), reason=why)
            yield _Said(about=about, reason=reason, message=message, warning=kind is TakeDown)


def _of_objects(wishes: Wishes, standing: Standing) -> Iterator[_Said]:
    if standing.put_right and wishes.head is not None:
        message = f"put right what somebody had changed: {', '.join(standing.put_right)}"
        yield _Said(about=wishes.head, reason="PutRight", message=message, warning=True)


def _event(said: _Said, now: dt.datetime, name: str) -> KubeObject:
    meta = said.about["metadata"]
    stamp = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{name}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": said.about["apiVersion"],
            "kind": said.about["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta.get("uid", ""),
        },
        "reason": said.reason,
        "message": said.message[:_MESSAGE_LIMIT],
        "type": "Warning" if said.warning else "Normal",
        "count": 1,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "source": {"component": "sunk-bridge"},
        "reportingComponent": "sunk.dev/bridge",
        "reportingInstance": "sunk-bridge",
    }
