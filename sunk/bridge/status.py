"""Write Slurm's state onto Pods, and only where it changed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable

from sunk.clients.kube.protocol import Kube
from sunk.errors import RemoteError
from sunk.model.kube import Condition, KubeNode, KubeObject, Pod
from sunk.model.slurm import NodeName, SlurmNode
from sunk.model.workers import Snapshot
from sunk.plan.conditions import conditions_of, machine_condition, need_writing
from sunk.plan.reasons import own_cause


def changed_pods(
    pods: Iterable[Pod], seen: Snapshot, *, why_not: str
) -> tuple[tuple[Pod, tuple[Condition, ...]], ...]:
    """Return the Pods whose conditions are not what Slurm says, with the right ones.

    Args:
        pods: our worker Pods.
        seen: what Slurm says.
        why_not: why it is not believed; empty when it is.
    """
    found = []
    for pod in pods:
        wanted = conditions_of(_record(pod, seen), why_not=why_not)
        if not pod.deleting and need_writing(pod.conditions, wanted):
            found.append((pod, wanted))
    return tuple(found)


def write_conditions(kube: Kube, pod: Pod, wanted: tuple[Condition, ...], now: dt.datetime) -> str:
    """Write a Pod's conditions; returns why it could not be done, or nothing."""
    try:
        kube.apply_status(_status(pod, wanted, now))
    except RemoteError as exc:
        return exc.message
    return ""


def changed_machines(seen: Snapshot) -> tuple[tuple[KubeNode, Condition], ...]:
    """Return the Kubernetes Nodes whose condition is not what Slurm says, with the right one."""
    drained: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for pod in seen.pods:
        record = seen.records.get(pod.name)
        registered = seen.pod_of_record.get(pod.name) == pod.uid
        if record is None or not registered or not record.drain or pod.kube_node is None:
            continue
        if own_cause(record.name, record.reason) is None:
            drained[pod.kube_node][pod.name] = record.reason
    found = []
    for node in seen.kube_nodes.values():
        wanted = machine_condition(node.conditions, drained.get(node.name, {}))
        if wanted is not None:
            found.append((node, wanted))
    return tuple(found)


def write_machine_condition(kube: Kube, node: KubeNode, wanted: Condition, now: dt.datetime) -> str:
    """Write a Node's condition; returns why it could not be done, or nothing."""
    stamp = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = node.conditions.get(wanted.type)
    kept = before.since if before is not None and before.status == wanted.status else ""
    try:
        kube.apply_status(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": node.name},
                "status": {
                    "conditions": [
                        {
                            "type": wanted.type,
                            "status": wanted.status,
                            "reason": wanted.reason,
                            "message": wanted.message,
                            "lastTransitionTime": kept or stamp,
                            "lastHeartbeatTime": stamp,
                        }
                    ]
                },
            }
        )
    except RemoteError as exc:
        return exc.message
    return ""


def _record(pod: Pod, seen: Snapshot) -> SlurmNode | None:
    name = NodeName(pod.name)
    return seen.records.get(name) if seen.pod_of_record.get(name) == pod.uid else None


def _status(pod: Pod, wanted: tuple[Condition, ...], now: dt.datetime) -> KubeObject:
    stamp = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        # The UID keeps the words about one Pod from its successor of the same name.
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "status": {
            "conditions": [
                {
                    "type": one.type,
                    "status": one.status,
                    "reason": one.reason,
                    "message": one.message,
                    "lastTransitionTime": _since(pod, one) or stamp,
                }
                for one in wanted
            ]
        },
    }


def _since(pod: Pod, wanted: Condition) -> str:
    have = pod.conditions.get(wanted.type)
    return have.since if have is not None and have.status == wanted.status else ""
