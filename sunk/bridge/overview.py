"""What operators want to see of workers: Slurm's record, Pod, Node, jobs, and whose drain it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sunk.bridge.loop import Round
from sunk.bridge.snapshot import jobs_by_node, noted, registered_by
from sunk.model.kube import Pod
from sunk.model.slurm import Job, NodeName, SlurmNode
from sunk.plan.reasons import own_cause
from sunk.wellknown import EXTRA_NODE_UID

_ALWAYS = frozenset({"DYNAMIC_NORM"})
"""Flags that every worker has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """One Slurm node, or a worker Pod that Slurm does not know.

    Attributes:
        state: Slurm's base state with its flags, ``IDLE+DRAIN``; empty without a record.
        reason: with a drain or down state.
        drained_by: ``bridge``, ``somebody else``, or empty.
        jobs: on the node, sorted.
        users: of those jobs, sorted.
        pod: ``ready``, ``not ready``, ``deleting``, ``another Pod's record`` or ``none``.
        kube_node: where the Pod is.
        kube_node_uid: of the Kubernetes Node that the record was made on, as the record has it.
    """

    node: str
    state: str
    reason: str
    drained_by: str
    jobs: tuple[int, ...]
    users: tuple[str, ...]
    pod: str
    kube_node: str
    kube_node_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One thing that the bridge would do now, or that has to wait.

    Attributes:
        action: its name; ``wait`` for what has to wait.
        jobs: on the node; those of a TakeDown are requeued, those of a Drain run on.
    """

    action: str
    node: str
    why: str
    jobs: tuple[int, ...]
    users: tuple[str, ...]


def worker_rows(
    records: Iterable[SlurmNode], pods: Iterable[Pod], jobs: Iterable[Job]
) -> tuple[WorkerRow, ...]:
    """Return a row for each name that Slurm or Kubernetes knows, sorted by name."""
    by_record = {str(one.name): one for one in records}
    by_pod = {one.name: one for one in pods}
    on = jobs_by_node(jobs)
    uids = registered_by({one.name: one for one in by_record.values()})
    names = sorted(by_record.keys() | by_pod.keys(), key=_in_order)
    return tuple(
        _row(name, by_record.get(name), by_pod.get(name), on.get(name, ()), uids) for name in names
    )


def plan_rows(made: Round, jobs: Iterable[Job]) -> tuple[PlanRow, ...]:
    """Return what a dry round would have done, in order, and then what waits."""
    on = jobs_by_node(jobs)
    todo = [
        (type(one.action).__name__, str(one.action.node), getattr(one.action, "reason", ""))
        for one in made.outcomes
    ]
    todo = [("Apply", "", f"{one} is to change") for one in made.standing.would_change] + todo
    todo += [("wait", str(one.node), one.why) for one in made.waiting]
    return tuple(
        PlanRow(
            action=action, node=node, why=why, jobs=_ids(on.get(node, ())), users=_users(on, node)
        )
        for action, node, why in todo
    )


def _row(
    name: str,
    record: SlurmNode | None,
    pod: Pod | None,
    jobs: tuple[Job, ...],
    uids: Mapping[NodeName, str],
) -> WorkerRow:
    drained_by = ""
    if record is not None and record.drain:
        ours = own_cause(record.name, record.reason) is not None
        drained_by = "bridge" if ours else "somebody else"
    return WorkerRow(
        node=name,
        state="" if record is None else "+".join([record.state, *sorted(record.flags - _ALWAYS)]),
        reason="" if record is None else record.reason,
        drained_by=drained_by,
        jobs=_ids(jobs),
        users=tuple(sorted({job.user for job in jobs})),
        pod=_pod_words(pod, record, uids),
        kube_node="" if pod is None else pod.node or "",
        kube_node_uid="" if record is None else noted(record, EXTRA_NODE_UID),
    )


def _pod_words(pod: Pod | None, record: SlurmNode | None, uids: Mapping[NodeName, str]) -> str:
    if pod is None:
        return "none"
    if pod.deleting:
        return "deleting"
    if record is not None and uids.get(record.name, pod.uid) != pod.uid:
        return "another Pod's record"
    return "ready" if pod.ready else f"not ready: {pod.trouble}" if pod.trouble else "not ready"


def _ids(jobs: tuple[Job, ...]) -> tuple[int, ...]:
    return tuple(sorted(int(job.job_id) for job in jobs))


def _users(on: Mapping[str, tuple[Job, ...]], node: str) -> tuple[str, ...]:
    return tuple(sorted({job.user for job in on.get(node, ())}))


def _in_order(name: str) -> tuple[str, int, str]:
    head, _, tail = name.rpartition("-")
    return (head, int(tail), "") if tail.isdecimal() and tail.isascii() else (name, -1, name)
