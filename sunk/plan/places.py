"""Which workers there should be, by name: what is missing, and which are too many; pure."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.model.slurm import NodeName
from sunk.model.workers import Snapshot, WorkerPod, WorkerSet
from sunk.plan.actions import CreatePod

Refusal = tuple[NodeName, str]


def machine_worker(machine: str) -> NodeName:
    """Return the name of the worker of a Kubernetes Node: the Node's, as one DNS label."""
    return NodeName(machine.replace(".", "-"))


def creations(seen: Snapshot) -> tuple[tuple[CreatePod, ...], tuple[Refusal, ...]]:
    """Return the Pods to make, and the names that cannot be given, with the reason.

    A Pod that is being deleted, or ended, keeps its name until it is gone: its successor has it.
    """
    taken = {pod.name: pod.node_set for pod in seen.pods}
    made: list[CreatePod] = []
    refused: list[Refusal] = []
    for one in seen.sets:
        refused += _closed(one, seen)
        for action in _missing(one, seen):
            owner = taken.setdefault(action.node, one.name)
            if owner != one.name:
                refused.append((action.node, f"NodeSet {owner} has a worker of this name"))
            elif action.node in seen.records and action.node not in seen.pod_of_record:
                why = "Slurm has a node of this name that no worker of ours registered"
                refused.append((action.node, why))
            else:
                made.append(action)
    return tuple(made), tuple(refused)


def too_many(wish: WorkerSet, seen: Snapshot) -> tuple[WorkerPod, ...]:
    """Return the workers of a set among which those that must go are to be chosen."""
    mine = [pod for pod in seen.pods if pod.node_set == wish.name]
    if wish.frozen:
        return ()
    if wish.deleting:
        return tuple(mine)
    if wish.machines is None:
        return tuple(mine)
    if not seen.kube_nodes_trust.ok:
        return ()
    return tuple(pod for pod in mine if pod.machine not in wish.machines)


def _closed(wish: WorkerSet, seen: Snapshot) -> Iterator[Refusal]:
    """Say which machines get no worker."""
    if wish.frozen or wish.deleting:
        return
    served = {pod.machine for pod in seen.pods if pod.node_set == wish.name}
    for machine, why in sorted(wish.closed.items()):
        if machine not in served:
            yield machine_worker(machine), why


def _missing(wish: WorkerSet, seen: Snapshot) -> Iterator[CreatePod]:
    if wish.frozen or wish.deleting:
        return
    mine = [pod for pod in seen.pods if pod.node_set == wish.name]
    if wish.machines is None:
        taken = {pod.ordinal for pod in mine}
        free = (number for number in range(len(taken) + wish.wanted) if number not in taken)
        for _ in range(wish.wanted - len(mine)):
            yield CreatePod(node=NodeName(f"{wish.name}-{next(free)}"), node_set=wish.name)
        return
    if not (seen.kube_nodes_trust.ok or seen.kube_nodes_trust.first):
        return
    served = {pod.machine for pod in mine}
    for machine in wish.machines:
        node = seen.kube_nodes.get(machine)
        if machine in served or machine in wish.closed:
            continue
        if node is not None and not node.cordoned:
            yield CreatePod(node=machine_worker(machine), node_set=wish.name, machine=machine)
