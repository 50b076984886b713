"""What to do about workers: make, drain, resume, replace, remove; pure, from one `Snapshot`.

Rules that every plan keeps, each with a property test:

- it converges: applied, and jobs ended, the next plan is empty;
- it owns its own: Pods that we did not make, records that no worker of ours registered, and drains
  with another's reason are left alone;
- it is prefix-safe: stopping after any action leaves a legal state, because a record goes before
  its Pod, and slurmctld itself refuses to forget a node that has a job;
- it is bounded: at most `allowance` nodes are disturbed that nobody asked to go, the rest waits and
  is said to wait;
- unknown is not absent: nothing is drained, resumed, taken down or deleted on a reading that is
  not trusted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sunk.model.slurm import JobId, NodeName, NodeState, SlurmNode
from sunk.model.workers import Load, Snapshot, WorkerPod, WorkerSet
from sunk.plan.actions import (
    DeletePod,
    DeleteRecord,
    DisruptiveAction,
    Drain,
    NoteMachine,
    Resume,
    TakeDown,
    WorkersAction,
)
from sunk.plan.places import creations, too_many
from sunk.plan.reasons import POD_STOPS, Cause, own_cause, write_reason

_IDLE = Load(jobs=(), ends_at=0)
_BREAKER = "held by the breaker: enough was done in this window"
_UPDATE_SHARE = 4
"""At most one in so many workers of a set is being replaced at a time, and never less than one."""


class Source(StrEnum):
    """What a reading is of."""

    PODS = "pods"
    NODES = "nodes"
    SLURM = "slurm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something that is wanted and not done yet.

    Attributes:
        node: which worker; empty for all.
        why: for people.
        jobs: what is waited for.
        doubted: whose reading is not believed, where that is why.
        over_budget: the breaker holds it: enough was done in this window.
    """

    node: NodeName
    why: str
    jobs: tuple[JobId, ...] = ()
    doubted: Source | None = None
    over_budget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersPlan:
    """What to do now, in order, and what has to wait.

    Attributes:
        disturbed: nodes of `actions` that count against the allowance.
    """

    actions: tuple[WorkersAction, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    disturbed: frozenset[NodeName] = frozenset()


def plan_workers(seen: Snapshot, *, allowance: int) -> WorkersPlan:
    """Return what brings the workers in line with the NodeSets and with cordons.

    Args:
        seen: everything at one moment.
        allowance: nodes that may be disturbed now beside those that a NodeSet gives up.
    """
    waiting = [*_distrust(seen), *_held(seen)]
    free: list[DisruptiveAction] = []
    actions: list[WorkersAction] = []
    if seen.pods_trust.ok or seen.pods_trust.first:
        made, refused = creations(seen)
        actions += made
        waiting += [Waiting(node=node, why=why) for node, why in refused]
    if seen.slurm_trust.ok and seen.pods_trust.ok:
        leaving = [pod for one in seen.sets for pod in choose_victims(one, seen)]
        names = {pod.name for pod in leaving}
        staying = [pod for pod in seen.pods if pod.name not in names]
        for pod in sorted(leaving, key=lambda one: one.name):
            actions += _for_leaving(pod, seen, waiting, _why_leaving(pod, seen))
        disturbing: list[DisruptiveAction] = []
        for pod in staying:
            disturbing += _for_staying(pod, seen)
        for one in seen.sets:
            disturbing += _updates(one, staying, seen, waiting)
        disturbing += _for_lost(seen)
        free, held = _within(disturbing, allowance)
        actions += free
        waiting += [Waiting(node=node, why=_BREAKER, over_budget=True) for node in held]
    if seen.pods_trust.ok or seen.pods_trust.first:
        acted_on = {one.node for one in actions}
        actions += [one for one in _notes(seen) if one.node not in acted_on]
    return WorkersPlan(
        actions=tuple(actions),
        waiting=tuple(waiting),
        disturbed=frozenset(one.node for one in free),
    )


def choose_victims(wish: WorkerSet, seen: Snapshot) -> tuple[WorkerPod, ...]:
    """Return the workers that must go, the first to go first.

    Those that go already come first, so that a choice is not changed while it is carried out; then
    workers that nobody can use; then idle ones; then the lower deletion cost; then the least time
    that running jobs may still take; then the youngest.
    """
    return tuple(sorted(too_many(wish, seen), key=lambda pod: _parting_key(pod, seen)))[
        : wish.surplus(seen.pods)
    ]


def _within(
    wanted: list[DisruptiveAction], allowance: int
) -> tuple[list[DisruptiveAction], list[NodeName]]:
    """Return the actions on the first nodes that may be disturbed, and the nodes that wait."""
    nodes = list(dict.fromkeys(one.node for one in wanted))
    free = set(nodes[:allowance])
    return [one for one in wanted if one.node in free], nodes[allowance:]


def _parting_key(pod: WorkerPod, seen: Snapshot) -> tuple[object, ...]:
    record = _record_of(pod, seen)
    load = seen.loads.get(pod.name, _IDLE)
    ends_at = float("inf") if load.ends_at is None else load.ends_at
    cause = None if record is None else _cause(record)
    return (
        not (pod.deleting or pod.ended),
        cause is None or not cause.leaving,
        pod.kube_node is not None,
        record is not None and record.state is not NodeState.DOWN,
        bool(load.jobs),
        pod.deletion_cost,
        ends_at,
        -pod.created,
        -(pod.ordinal or 0),
    )


def _why_leaving(pod: WorkerPod, seen: Snapshot) -> tuple[Cause, str]:
    gone = any(one.name == pod.node_set and one.deleting for one in seen.sets)
    if gone:
        return Cause.NODE_SET_GONE, f"NodeSet {pod.node_set} is deleted"
    return Cause.SCALE_IN, f"NodeSet {pod.node_set} wants fewer workers"


def _for_leaving(
    pod: WorkerPod, seen: Snapshot, waiting: list[Waiting], why: tuple[Cause, str]
) -> tuple[DisruptiveAction, ...]:
    """Drain, wait until nothing is there, remove the record, then the Pod."""
    if pod.deleting:
        return ()
    record = None if pod.ended else _record_of(pod, seen)
    if record is None and pod.name in seen.records and pod.name not in seen.pod_of_record:
        said = "Slurm has a node of this name that no worker of ours registered"
        waiting.append(Waiting(node=pod.name, why=said))
        return ()
    if record is None:
        unknown = not pod.ended and pod.name not in seen.records
        return (DeletePod(node=pod.name, uid=pod.uid, unknown_to_slurm=unknown),)
    if record.drained:
        return (
            DeleteRecord(node=pod.name, pod_uid=pod.uid),
            DeletePod(node=pod.name, uid=pod.uid),
        )
    load = seen.loads.get(pod.name, _IDLE)
    if record.drain or record.drained is None:
        said = "its jobs are running" if record.drain else "Slurm does not say in what state it is"
        waiting.append(Waiting(node=pod.name, why=said, jobs=load.jobs))
        return ()
    return (Drain(node=pod.name, reason=write_reason(why[0], pod.name, why[1])),)


def _record_of(pod: WorkerPod, seen: Snapshot) -> SlurmNode | None:
    """Return the record that this very Pod registered; one of an earlier Pod is not it."""
    return seen.records.get(pod.name) if seen.pod_of_record.get(pod.name) == pod.uid else None


def _for_staying(pod: WorkerPod, seen: Snapshot) -> tuple[DisruptiveAction, ...]:
    if pod.deleting:
        return ()
    if pod.ended or pod.name in seen.forgotten:
        # Nothing runs there, or a slurmd that Slurm has forgotten and that will not say it again.
        return (DeletePod(node=pod.name, uid=pod.uid, unknown_to_slurm=not pod.ended),)
    record = _record_of(pod, seen)
    machine = seen.kube_nodes.get(pod.kube_node or "") if seen.kube_nodes_trust.ok else None
    if record is None or machine is None:
        return ()
    cause = _cause(record)
    leaving = cause is not None and cause.leaving
    if machine.cordoned and (not record.drain or leaving):
        detail = f"Kubernetes node {machine.name} is cordoned"
        return (Drain(node=pod.name, reason=write_reason(Cause.CORDON, pod.name, detail)),)
    kept = machine.cordoned or is_outdated(pod, seen)  # the latter goes as it is, drained
    # The hook of an earlier Pod may drain the name late, when this one has registered it.
    ours = cause is not None or record.reason == POD_STOPS
    if record.drain and ours and not kept:
        return (Resume(node=pod.name, reason=record.reason),)
    return ()


def is_outdated(pod: WorkerPod, seen: Snapshot) -> bool:
    """Return whether a Pod is to be replaced by a like one."""
    return bool(why_outdated(pod, seen))


def why_outdated(pod: WorkerPod, seen: Snapshot) -> str:
    """Return why a Pod is to be replaced by a like one; nothing when it is not."""
    mine = [one for one in seen.sets if one.name == pod.node_set and not one.frozen]
    if any(one.revision not in {"", pod.revision} for one in mine):
        return f"NodeSet {pod.node_set} has a newer description"
    machine = seen.kube_nodes.get(pod.kube_node or "") if seen.kube_nodes_trust.ok else None
    if mine and machine is not None and pod.machine_uid not in {"", machine.uid}:
        return f"Kubernetes node {machine.name} was made anew"
    return ""


def _notes(seen: Snapshot) -> Iterator[NoteMachine]:
    """Note on each Pod to which Node it was bound, as soon as it is."""
    if not (seen.kube_nodes_trust.ok or seen.kube_nodes_trust.first):
        return
    for pod in seen.pods:
        machine = seen.kube_nodes.get(pod.kube_node or "")
        if machine is not None and not (pod.machine_uid or pod.deleting or pod.ended):
            yield NoteMachine(node=pod.name, uid=pod.uid, machine_uid=machine.uid)


def _updates(
    wish: WorkerSet, staying: list[WorkerPod], seen: Snapshot, waiting: list[Waiting]
) -> Iterator[DisruptiveAction]:
    """Replace Pods that were made from an older description: idle ones first, a few at a time."""
    mine = [pod for pod in staying if pod.node_set == wish.name]
    room = max(1, len(mine) // _UPDATE_SHARE) - sum(_being_replaced(pod, seen) for pod in mine)
    for pod in sorted(mine, key=lambda one: (*_update_key(one, seen), one.name)):
        why = why_outdated(pod, seen)
        if pod.deleting or pod.ended or pod.name in seen.forgotten or not why:
            continue
        record = _record_of(pod, seen)
        machine = seen.kube_nodes.get(pod.kube_node or "")
        if record is not None and machine is not None and machine.cordoned:
            continue  # its successor could not start there
        if record is not None and record.drain and _cause(record) is None:
            said = f"{why}; not replaced: somebody drained it"
            waiting.append(Waiting(node=pod.name, why=said))
            continue
        if record is not None and not record.drain:
            if room <= 0:
                waiting.append(Waiting(node=pod.name, why="will be replaced when others are back"))
                continue
            room -= 1
        yield from _for_leaving(pod, seen, waiting, (Cause.UPDATE, why))


def _being_replaced(pod: WorkerPod, seen: Snapshot) -> bool:
    record = _record_of(pod, seen)
    return pod.deleting or record is None or (record.drain and _cause(record) is Cause.UPDATE)


def _update_key(pod: WorkerPod, seen: Snapshot) -> tuple[bool, bool]:
    record = _record_of(pod, seen)
    going = record is None or _cause(record) is Cause.UPDATE
    return (not going, bool(seen.loads.get(pod.name, _IDLE).jobs))


def _for_lost(seen: Snapshot) -> Iterator[DisruptiveAction]:
    """Take down what runs nowhere any more, and forget what will not come back."""
    living = {pod.uid for pod in seen.pods if not pod.ended}
    coming = {one.node for one in creations(seen)[0]} | {pod.name for pod in seen.pods}
    frozen = any(one.frozen for one in seen.sets)
    for name, uid in sorted(seen.pod_of_record.items()):
        record = seen.records.get(name)
        if record is None or uid in living:
            continue
        if record.state is not NodeState.DOWN:
            reason = write_reason(Cause.POD_LOST, name, "its Pod is gone")
            if record.drain and _cause(record) is None:
                reason = record.reason  # the drain is somebody's, and so is its reason
            yield TakeDown(node=name, pod_uid=uid, reason=reason)
        elif name not in coming and not frozen and not seen.loads.get(name, _IDLE).jobs:
            yield DeleteRecord(node=name, pod_uid=uid)


def _cause(record: SlurmNode) -> Cause | None:
    return own_cause(record.name, record.reason)


def _held(seen: Snapshot) -> Iterator[Waiting]:
    """Say which sets are not acted on, and which workers belong to none."""
    for one in seen.sets:
        if one.frozen:
            yield Waiting(node=NodeName(""), why=f"NodeSet {one.name}: {one.frozen}")
    known = {one.name for one in seen.sets}
    for pod in seen.pods:
        if pod.node_set not in known:
            why = f"its NodeSet {pod.node_set} is gone without leave: make it again, then delete it"
            yield Waiting(node=pod.name, why=why)


def _distrust(seen: Snapshot) -> Iterator[Waiting]:
    for what, source, trust in (
        ("Pods", Source.PODS, seen.pods_trust),
        ("Kubernetes nodes", Source.NODES, seen.kube_nodes_trust),
        ("Slurm", Source.SLURM, seen.slurm_trust),
    ):
        if not trust.ok:
            yield Waiting(node=NodeName(""), why=f"{what}: {trust.why_not}", doubted=source)
