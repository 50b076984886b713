"""What operators want to see of Slurm clusters: ready or why not, workers by state; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sunk.model.kube import KubeObject, name_of

_COUNTS = {"workers": "replicas", "idle": "idle", "allocated": "allocated"} | {
    "drained": "drained",
    "down": "down",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow:
    """One condition of a SlurmCluster or a NodeSet.

    Attributes:
        of: ``SlurmCluster/demo``.
        stale: it speaks of an earlier description.
    """

    of: str
    condition: str
    status: str
    reason: str
    message: str
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRow:
    """One SlurmCluster.

    Attributes:
        ready: whether every daemon runs as described.
        why: what it waits for; empty when it is ready.
        workers: Pods of its NodeSets; then how many of them are in which state.
        conditions: of the SlurmCluster and its NodeSets.
    """

    name: str
    namespace: str
    ready: bool
    why: str
    workers: int
    idle: int
    allocated: int
    drained: int
    down: int
    conditions: tuple[ConditionRow, ...]


def cluster_rows(
    clusters: Iterable[KubeObject], node_sets: Iterable[KubeObject]
) -> tuple[ClusterRow, ...]:
    """Return a row for each SlurmCluster, sorted by namespace and name."""
    sets = tuple(node_sets)
    rows = [
        _row(one, [each for each in sets if _namespace(each) == _namespace(one)])
        for one in clusters
    ]
    return tuple(sorted(rows, key=lambda row: (row.namespace, row.name)))


def _row(cluster: KubeObject, node_sets: list[KubeObject]) -> ClusterRow:
    conditions = tuple(
        condition for thing in (cluster, *node_sets) for condition in _conditions(thing)
    )
    own = {one.condition: one for one in conditions if one.of == _title(cluster)}
    ready = own.get("Ready")
    counts = {
        name: sum(int((one.get("status") or {}).get(key, 0)) for one in node_sets)
        for name, key in _COUNTS.items()
    }
    fine = ready is not None and ready.status == "True" and not ready.stale
    if ready is None:
        why = "no bridge has looked at it yet"
    elif ready.stale:
        why = "no bridge has looked at its newest description yet"
    else:
        why = ready.message or ready.reason
    return ClusterRow(
        name=name_of(cluster),
        namespace=_namespace(cluster),
        ready=fine,
        why="" if fine else why,
        conditions=conditions,
        **counts,
    )


def _conditions(thing: KubeObject) -> tuple[ConditionRow, ...]:
    generation = thing["metadata"].get("generation")
    found: Iterable[Mapping[str, Any]] = (thing.get("status") or {}).get("conditions") or ()
    return tuple(
        ConditionRow(
            of=_title(thing),
            condition=one["type"],
            status=one["status"],
            reason=one.get("reason", ""),
            message=one.get("message", ""),
            stale=one.get("observedGeneration") != generation,
        )
        for one in sorted(found, key=lambda one: str(one["type"]))
    )


def _title(thing: KubeObject) -> str:
    return f"{thing['kind']}/{name_of(thing)}"


def _namespace(thing: KubeObject) -> str:
    return str(thing["metadata"]["namespace"])
