"""Statuses of SlurmClusters and NodeSets: what is said of them, and whether that changed; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sunk.bridge.daemons import Standing, keys_were_made
from sunk.bridge.wishes import Wishes, is_deleting
from sunk.model.cluster import NodeShape
from sunk.model.kube import KubeObject, Pod, name_of
from sunk.model.slurm import NOT_RESPONDING, NodeName, NodeState, SlurmNode
from sunk.model.workers import Snapshot
from sunk.plan.configuration import ConfState
from sunk.plan.shapes import differences
from sunk.plan.workers import Waiting, is_outdated
from sunk.wellknown import LABEL_NODE_SET

_IN_USE = frozenset({NodeState.ALLOCATED, NodeState.MIXED})
_DOWN = frozenset({NodeState.DOWN, NodeState.ERROR})
Said = tuple[bool, str, str]
"""Status, reason (one word) and message (for people) of a condition."""


def cluster_status(wishes: Wishes, standing: Standing, accounts: str) -> dict[str, Any]:
    """Return the status of the SlurmCluster that is served.

    Args:
        wishes: what is wanted.
        standing: how far the daemons are.
        accounts: why users and accounts are not as described yet; empty when they are.
    """
    assert wishes.head is not None
    fault = wishes.described.fault
    valid: Said = (False, "NotAllowed", fault) if fault else (True, "Accepted", "")
    ready: Said = (True, "Running", "")
    if wishes.deleting:
        ready = (False, "Deleting", standing.waiting or "its workers go first")
    elif fault:
        ready = (False, "NotAllowed", "what runs is left as it is")
    elif standing.fault:
        ready = (False, "NotApplied", standing.fault)
    elif standing.waiting:
        ready = (False, "DaemonsStart", standing.waiting)
    elif accounts:
        ready = (False, "AccountsWait", accounts)
    # Once made they are never said to be not: what made them must not make others.
    have_keys = standing.keys is not None or keys_were_made(wishes.head)
    made: Said = (True, "InSecrets", "") if have_keys else (False, "NotMade", "")
    conf = standing.conf
    configured: Said = (conf.state is ConfState.IN_FORCE, str(conf.state), conf.why_not)
    said = {"Configured": configured, "KeysMade": made, "Ready": ready, "Valid": valid}
    return _status(wishes.head, said)


def refused_status(thing: KubeObject, served: str) -> dict[str, Any]:
    """Return the status of a SlurmCluster that is one too many."""
    words = f"the namespace has SlurmCluster {served} already, and holds one"
    return _status(thing, {"Ready": (False, "NotAllowed", ""), "Valid": (False, "OneOnly", words)})


def node_set_status(
    thing: KubeObject,
    seen: Snapshot,
    pods: Iterable[Pod],
    fault: str,
    waiting: Iterable[Waiting],
    *,
    shape: NodeShape | None = None,
) -> dict[str, Any]:
    """Return the status of a NodeSet.

    Args:
        thing: the NodeSet.
        seen: everything at one moment.
        pods: worker Pods of the namespace.
        fault: why the NodeSet cannot be acted on; empty when it can.
        waiting: what has to wait.
        shape: how its workers are described.
    """
    name = name_of(thing)
    mine = [pod for pod in pods if pod.labels.get(LABEL_NODE_SET) == name]
    counts = _counts(mine, seen)
    wanted = next((one.wanted for one in seen.sets if one.name == name), 0)
    ready_pods = sum(pod.ready and not pod.deleting for pod in mine)
    valid: Said = (False, "NotAllowed", fault) if fault else (True, "Accepted", "")
    names = {pod.name for pod in mine}
    held = sorted(f"{one.node}: {one.why}" for one in waiting if one.node in names)
    if fault:
        ready: Said = (False, "NotAllowed", "its workers are left as they are")
    elif is_deleting(thing):
        ready = (False, "Deleting", "; ".join(held[:3]))
    elif odd := _odd_workers(mine, seen, shape):
        ready = (False, "ShapeDiffers", "; ".join(odd[:3]))
    elif len(mine) == wanted and ready_pods == wanted and not counts["unknown"]:
        ready = (True, "AllRegistered", "")
    else:
        troubles = [f"{pod.name}: {pod.trouble}" for pod in mine if pod.trouble and not pod.ready]
        ready = (False, "WorkersWait", "; ".join((held or troubles)[:3]))
    body = {
        "replicas": len(mine),
        "readyReplicas": ready_pods,
        "selector": f"{LABEL_NODE_SET}={name}",
        **counts,
    }
    said = {"Ready": ready, "UpToDate": _up_to_date(names, seen), "Valid": valid}
    return _status(thing, said, body)


def _up_to_date(names: Collection[str], seen: Snapshot) -> Said:
    """Return whether the workers of these names are of the newest description."""
    outdated = [pod for pod in seen.pods if pod.name in names and is_outdated(pod, seen)]
    if not outdated:
        return (True, "AllCurrent", "")
    busy = sum(bool(seen.loads.get(pod.name)) for pod in outdated)
    words = f"{len(outdated)} of {len(names)} are of an older description, {busy} with jobs"
    return (False, "JobsRun" if busy == len(outdated) else "BeingReplaced", words)


def speaks_of_now(thing: KubeObject) -> bool:
    """Return whether the status of an object is one of its present description."""
    observed = (thing.get("status") or {}).get("observedGeneration")
    return bool(observed == thing["metadata"].get("generation"))


def to_write(thing: KubeObject, wanted: Mapping[str, Any], now: dt.datetime) -> KubeObject | None:
    """Return the object to apply as status, or nothing when it says the same already."""
    have: Mapping[str, Any] = thing.get("status") or {}
    before = {one.get("type"): one for one in have.get("conditions") or ()}
    stamp = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = []
    for one in wanted["conditions"]:
        old = before.get(one["type"], {})
        kept = old.get("status") == one["status"] and old.get("lastTransitionTime")
        conditions.append({**one, "lastTransitionTime": kept or stamp})
    status = {**wanted, "conditions": conditions}
    same = all(have.get(key) == value for key, value in status.items() if key != "conditions")
    if same and all(before.get(one["type"]) == one for one in conditions):
        return None
    meta = thing["metadata"]
    return {
        "apiVersion": thing["apiVersion"],
        "kind": thing["kind"],
        "metadata": {key: meta[key] for key in ("name", "namespace", "uid") if key in meta},
        "status": status,
    }


def _odd_workers(mine: Iterable[Pod], seen: Snapshot, shape: NodeShape | None) -> list[str]:
    """Return which workers of the newest description registered otherwise than described."""
    found = []
    current = {pod.name: pod for pod in seen.pods if not is_outdated(pod, seen)}
    for pod in mine:
        name = NodeName(pod.name)
        record = seen.records.get(name)
        if shape is None or record is None or name not in current:
            continue
        if seen.pod_of_record.get(name) == pod.uid:
            found += [f"{name}: {text}" for text in differences(record, shape)]
    return found


def _counts(mine: Iterable[Pod], seen: Snapshot) -> dict[str, int]:
    counts = dict.fromkeys(("allocated", "down", "drained", "idle", "unknown"), 0)
    for pod in mine:
        name = NodeName(pod.name)
        known = seen.slurm_trust.ok and seen.pod_of_record.get(name) == pod.uid
        counts[_word(seen.records.get(name) if known else None)] += 1
    return counts


def _word(record: SlurmNode | None) -> str:
    """Return under which count a worker is; a draining one counts as drained."""
    if record is None or record.state is NodeState.UNKNOWN:
        return "unknown"
    if record.state in _DOWN or NOT_RESPONDING in record.flags:
        return "down"
    if record.drain:
        return "drained"
    return "allocated" if record.state in _IN_USE else "idle"


def _status(
    thing: KubeObject, said: Mapping[str, Said], body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    generation = thing["metadata"].get("generation", 0)
    return {
        "observedGeneration": generation,
        **(body or {}),
        "conditions": [
            {
                "type": name,
                "status": "True" if true else "False",
                "observedGeneration": generation,
                "reason": reason,
                "message": message[:1000],
            }
            for name, (true, reason, message) in sorted(said.items())
        ],
    }
