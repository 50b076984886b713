"""From what the clients answered to the `Snapshot` that planners decide on; pure."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sunk.model.hostlist import expand
from sunk.model.kube import Pod
from sunk.model.slurm import Job, JobState, NodeName, SlurmNode
from sunk.model.workers import Load, Snapshot, WorkerPod
from sunk.wellknown import (
    ANNOTATION_DELETION_COST,
    ANNOTATION_MACHINE,
    ANNOTATION_MACHINE_UID,
    ANNOTATION_REVISION,
    EXTRA_POD_UID,
    LABEL_NODE_SET,
)

_ENDED = frozenset({"Failed", "Succeeded"})
_ON_NODES = frozenset({JobState.RUNNING, JobState.SUSPENDED})
"""States in which a job holds its nodes, beside those with the flag COMPLETING."""


def with_answers(rest: Snapshot, pods: Iterable[Pod], records: Iterable[SlurmNode]) -> Snapshot:
    """Return a snapshot with these Pods as workers and these records, by name."""
    by_name = {one.name: one for one in records}
    return replace(
        rest,
        pods=tuple(found for pod in pods if (found := worker_pod(pod)) is not None),
        records=by_name,
        pod_of_record=registered_by(by_name),
    )


def worker_pod(pod: Pod) -> WorkerPod | None:
    """Return a Pod as a worker, or nothing when it is not named like one of its NodeSet."""
    node_set = pod.labels.get(LABEL_NODE_SET, "")
    machine = pod.annotations.get(ANNOTATION_MACHINE)
    prefix, _, number = pod.name.rpartition("-")
    numbered = machine is None and prefix == node_set and number.isdecimal()
    if not node_set or not (numbered or machine):
        return None
    return WorkerPod(
        name=NodeName(pod.name),
        uid=pod.uid,
        node_set=node_set,
        ordinal=int(number) if numbered else None,
        machine=machine,
        kube_node=pod.node,
        machine_uid=pod.annotations.get(ANNOTATION_MACHINE_UID, ""),
        deleting=pod.deleting,
        ended=pod.phase in _ENDED,
        revision=pod.annotations.get(ANNOTATION_REVISION, ""),
        deletion_cost=_whole(pod.annotations.get(ANNOTATION_DELETION_COST, "")),
        created=_seconds(pod.created),
    )


def loads_of(jobs: Iterable[Job]) -> dict[NodeName, Load]:
    """Return the jobs that hold each node now."""
    return {
        NodeName(name): Load(
            jobs=tuple(sorted(one.job_id for one in here)),
            ends_at=_last_end(here),
        )
        for name, here in jobs_by_node(jobs).items()
    }


def _last_end(jobs: Iterable[Job]) -> int | None:
    """Return when the last of some jobs must end; nothing while one of them does not say."""
    ends = [one.end_time or one.planned_end for one in jobs]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def jobs_by_node(jobs: Iterable[Job]) -> Mapping[str, tuple[Job, ...]]:
    """Return the jobs that hold each node now."""
    found: defaultdict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.nodes and (job.state in _ON_NODES or "COMPLETING" in job.flags):
            for name in expand(job.nodes):
                found[name].append(job)
    return {name: tuple(here) for name, here in found.items()}


def registered_by(records: Mapping[NodeName, SlurmNode]) -> dict[NodeName, str]:
    """Return the UID of the Pod that registered each record, for records that say so.

    A worker's slurmd writes it into the record's field ``extra``.
    """
    return {name: uid for name, record in records.items() if (uid := noted(record, EXTRA_POD_UID))}


def noted(record: SlurmNode, key: str) -> str:
    """Return what a worker's slurmd wrote into its record under `key`; nothing without it."""
    try:
        facts = json.loads(record.extra)
    except ValueError:
        return ""
    value = facts.get(key) if isinstance(facts, dict) else None
    return value if isinstance(value, str) else ""


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def _seconds(stamp: str) -> int:
    return int(dt.datetime.fromisoformat(stamp).timestamp()) if stamp else 0
