"""From custom resources to the `SlurmCluster` that everything is rendered from; pure.

What the API server's own checks let pass may still be wrong: a partition of a node set that is not
there, a key that slurm.conf does not know. A fault of a NodeSet is that NodeSet's alone; a fault of
the SlurmCluster stops every change to its daemons. Both are words for a condition, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sunk.errors import InputError, clip
from sunk.model.cluster import NodeSet, SlurmCluster
from sunk.model.kube import KubeObject, name_of
from sunk.render.checks import problems
from sunk.render.faults import allowed_instead, spell
from sunk.render.passwd import read_passwd

_CLUSTER = TypeAdapter(SlurmCluster)
_NODE_SET = TypeAdapter(NodeSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the resources of a namespace describe.

    Attributes:
        cluster: the cluster with its node sets; None when it has a fault itself. A node set with
            a fault stands there by its name alone, so that slurm.conf keeps its line.
        fault: what is wrong with the SlurmCluster; empty when nothing is.
        node_set_faults: what is wrong with a NodeSet, by name.
    """

    cluster: SlurmCluster | None
    fault: str = ""
    node_set_faults: Mapping[str, str] = field(default_factory=dict)


def read_resources(
    head: KubeObject, node_sets: Iterable[KubeObject], passwd: str | None = None
) -> Described:
    """Return what a SlurmCluster and the NodeSets of its namespace describe together.

    Args:
        head: the SlurmCluster.
        node_sets: NodeSets of its namespace.
        passwd: what its `users_from` leads to; None where that could not be found.
    """
    faults: dict[str, str] = {}
    usable: list[NodeSet] = []
    for one in sorted(node_sets, key=name_of):
        found = _parsed(_NODE_SET, {**_spec(one), "name": name_of(one)})
        if isinstance(found, str):
            faults[name_of(one)] = found
        else:
            usable.append(found)
    raw = {**_spec(head), "name": name_of(head), "namespace": head["metadata"]["namespace"]}
    cluster = _parsed(_CLUSTER, {**raw, "nodeSets": []})
    if isinstance(cluster, str):
        return Described(cluster=None, fault=cluster, node_set_faults=faults)
    try:
        cluster = _with_people(cluster, passwd)
    except InputError as exc:
        return Described(cluster=None, fault=exc.message, node_set_faults=faults)
    for problem in problems(replace(cluster, node_sets=tuple(usable))):
        if problem.path[:1] == ("nodeSets",) and len(problem.path) > 1:
            name = usable[int(problem.path[1])].name
            faults.setdefault(name, _words(problem.path[2:], problem.value, problem.allowed))
    fine = [one for one in usable if one.name not in faults]
    named = [NodeSet(name=name, replicas=0) for name in faults if _is_name(name, cluster)]
    cluster = replace(cluster, node_sets=tuple(sorted((*fine, *named), key=lambda one: one.name)))
    for problem in problems(cluster):
        fault = _words(problem.path, problem.value, problem.allowed)
        return Described(cluster=None, fault=fault, node_set_faults=faults)
    return Described(cluster=cluster, node_set_faults=faults)


def _with_people(cluster: SlurmCluster, passwd: str | None) -> SlurmCluster:
    where = cluster.users_from
    if where is None:
        return cluster
    source = f"ConfigMap {where.config_map}" if where.config_map else f"Secret {where.secret}"
    if passwd is None:
        raise InputError(f"usersFrom: {source} has no entry {where.key}, or is not there")
    known = {one.name for one in cluster.users}
    further = read_passwd(passwd, account=where.account, source=source)
    # Who is described as well is as described there: with an SSH key, for example.
    return replace(
        cluster, users=(*cluster.users, *(one for one in further if one.name not in known))
    )


def _is_name(name: str, cluster: SlurmCluster) -> bool:
    alone = replace(cluster, node_sets=(NodeSet(name=name, replicas=0),))
    return not any(one.path[:1] == ("nodeSets",) for one in problems(alone))


def _parsed(adapter: TypeAdapter[Any], raw: Mapping[str, Any]) -> Any:
    """Return the parsed value, or the fault as text."""
    try:
        return adapter.validate_json(json.dumps(raw))
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        return _words(tuple(first["loc"]), first["input"], allowed_instead(first))


def _spec(thing: KubeObject) -> Mapping[str, Any]:
    return thing.get("spec") or {}


def _words(path: tuple[str | int, ...], value: object, allowed: str) -> str:
    shown = "nothing" if value is None else clip(repr(value), 60)
    return f"{spell(path) or 'the whole'}: {shown} is not allowed; allowed: {allowed}"
