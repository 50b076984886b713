"""What people want, from the custom resources of one namespace; the last answer is kept."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sunk.clients.kube.protocol import Kube
from sunk.errors import InputError, RemoteError
from sunk.model.cluster import NodeSet, Placement, SlurmCluster
from sunk.model.kube import (
    CONFIG_MAP,
    NODE_SET,
    SECRET,
    SLURM_CLUSTER,
    KubeNode,
    KubeObject,
    Taint,
    name_of,
)
from sunk.model.overlay import Toleration
from sunk.model.workers import WorkerSet
from sunk.plan.actions import CreatePod
from sunk.render.keys import ClusterKeys
from sunk.render.kube.files import Files, render_files
from sunk.render.kube.nodes import worker_pod, worker_revision
from sunk.render.resources import Described, read_resources

_UNDESCRIBED = Described(cluster=None, fault="no SlurmCluster is in the namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The custom resources of a namespace, and what they describe together.

    Attributes:
        head: the SlurmCluster that is served: the oldest one; None without any.
        others: further SlurmClusters of the namespace, which are refused.
        node_sets: NodeSets, sorted by name.
        described: what they say.
        unread: why they could not be read this time; the rest is of an earlier time then.
    """

    head: KubeObject | None = None
    others: tuple[KubeObject, ...] = ()
    node_sets: tuple[KubeObject, ...] = ()
    described: Described = _UNDESCRIBED
    unread: str = ""

    @property
    def deleting(self) -> bool:
        """Whether the SlurmCluster is to go."""
        return self.head is not None and is_deleting(self.head)

    @property
    def fault(self) -> str:
        """Why nothing may be built from these; empty when it may."""
        return self.unread or self.described.fault


class WishReader:
    """Reads the custom resources of one namespace."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._seen: tuple[object, ...] = ()
        self._last = Wishes()

    def read(self) -> Wishes:
        """Return what is wanted now; an answer that does not come leaves the last one standing."""
        try:
            heads = self._kube.list(SLURM_CLUSTER, self._namespace)
            node_sets = self._kube.list(NODE_SET, self._namespace)
            passwd = self._passwd(_oldest(heads))
        except RemoteError as exc:
            return replace(self._last, unread=exc.message)
        head = _oldest(heads)
        others = tuple(one for one in heads if one is not head)
        seen = (*(_version(one) for one in (*heads, *node_sets)), passwd)
        same = seen == self._seen
        described = self._last.described if same else _described(head, node_sets, passwd)
        self._seen = seen
        self._last = Wishes(head=head, others=others, node_sets=node_sets, described=described)
        return self._last

    def _passwd(self, head: KubeObject | None) -> str | None:
        """Return the text that a SlurmCluster's usersFrom leads to, or nothing."""
        where = {} if head is None else (head.get("spec") or {}).get("usersFrom") or {}
        kind = CONFIG_MAP if "configMap" in where else SECRET
        name = where.get("configMap") or where.get("secret")
        if name is None:
            return None
        # Listed, because the bridge may list but not get: that would be one more right.
        found = [one for one in self._kube.list(kind, self._namespace) if name_of(one) == name]
        data = found[0].get("data", {}) if found else {}
        text = data.get(where.get("key", "passwd"))
        if text is None or kind == CONFIG_MAP:
            return text
        return base64.b64decode(text).decode("utf-8", "replace")


class Makings:
    """What workers are made from: turns wishes into planners' sets, and orders into Pods."""

    def __init__(self) -> None:
        self._cluster: SlurmCluster | None = None
        self._keys: ClusterKeys | None = None
        self._files: Files | None = None
        self._revisions: dict[str, str] = {}

    def sets(
        self, wishes: Wishes, keys: ClusterKeys | None, machines: Iterable[KubeNode]
    ) -> tuple[WorkerSet, ...]:
        """Return a set for each NodeSet; one that cannot be acted on is frozen, with the reason."""
        cluster = wishes.described.cluster
        self._take(cluster, keys)
        by_name = {} if cluster is None else {one.name: one for one in cluster.node_sets}
        machines = tuple(machines)
        return tuple(
            _set_of(one, by_name.get(name_of(one)), wishes, machines, self._revisions)
            for one in wishes.node_sets
        )

    def pod(self, order: CreatePod) -> KubeObject:
        """Return the Pod that an order asks for.

        Raises:
            InputError: its node set is not described any more.
        """
        cluster, keys, files = self._cluster, self._keys, self._files
        found = (
            []
            if cluster is None
            else [one for one in cluster.node_sets if one.name == order.node_set]
        )
        if cluster is None or keys is None or files is None or not found:
            raise InputError(f"make Pod {order.node}: NodeSet {order.node_set} is not described")
        return worker_pod(cluster, found[0], keys, files, name=order.node, machine=order.machine)

    def _take(self, cluster: SlurmCluster | None, keys: ClusterKeys | None) -> None:
        if self._cluster is cluster and self._keys is keys:
            return
        self._cluster, self._keys, self._files, self._revisions = cluster, keys, None, {}
        if cluster is not None and keys is not None:
            self._files = render_files(cluster, keys)
            self._revisions = {
                one.name: worker_revision(cluster, one, keys, self._files)
                for one in cluster.node_sets
            }


def _oldest(heads: Iterable[KubeObject]) -> KubeObject | None:
    def age(one: KubeObject) -> tuple[str, str]:
        return (str(one["metadata"].get("creationTimestamp", "")), name_of(one))

    return min(heads, key=age, default=None)


def is_deleting(thing: KubeObject) -> bool:
    """Return whether an object's deletion was asked for."""
    return thing["metadata"].get("deletionTimestamp") is not None


def chosen_machines(node_set: NodeSet, machines: Iterable[KubeNode]) -> tuple[str, ...]:
    """Return the Kubernetes Nodes that a set's nodeSelector chooses, sorted."""
    wanted = {} if node_set.pod is None else node_set.pod.node_selector
    return tuple(sorted(one.name for one in machines if wanted.items() <= one.labels.items()))


def _forbidding(node_set: NodeSet, machine: KubeNode) -> Taint | None:
    """Return a taint that keeps the set's Pods off a machine.

    Those that Kubernetes sets by itself, for a Node that is not ready or is cordoned, go by.
    """
    tolerations = () if node_set.pod is None else node_set.pod.tolerations
    for taint in machine.taints:
        passing = taint.effect == "PreferNoSchedule" or taint.key.startswith("node.kubernetes.io/")
        if not passing and not any(_tolerates(one, taint) for one in tolerations):
            return taint
    return None


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Return whether a toleration matches a taint, by Kubernetes' own rules."""
    if toleration.effect not in {None, taint.effect} or toleration.key not in {None, taint.key}:
        return False
    return toleration.operator == "Exists" or (toleration.value or "") == taint.value


def _set_of(
    thing: KubeObject,
    node_set: NodeSet | None,
    wishes: Wishes,
    machines: tuple[KubeNode, ...],
    revisions: Mapping[str, str],
) -> WorkerSet:
    name = name_of(thing)
    frozen = wishes.fault or wishes.described.node_set_faults.get(name, "")
    if not frozen and name not in revisions:
        frozen = "the cluster's keys are not made yet"
    deleting = is_deleting(thing) or wishes.deleting
    if node_set is None or frozen:
        return WorkerSet(name=name, replicas=0, frozen=frozen or "not read", deleting=deleting)
    places, closed = None, {}
    if node_set.placement is Placement.PER_NODE:
        places = chosen_machines(node_set, machines)
        closed = {
            one.name: f"Kubernetes node {one.name} has taint {taint}, which is not tolerated"
            for one in machines
            if one.name in places and (taint := _forbidding(node_set, one)) is not None
        }
    return WorkerSet(
        name=name,
        replicas=node_set.replicas,
        machines=places,
        closed=closed,
        revision=revisions[name],
        deleting=deleting,
    )


def _described(
    head: KubeObject | None, node_sets: tuple[KubeObject, ...], passwd: str | None
) -> Described:
    if head is None:
        return _UNDESCRIBED
    return read_resources(head, node_sets, passwd)


def _version(thing: KubeObject) -> tuple[object, ...]:
    meta = thing["metadata"]
    return (meta.get("uid"), meta.get("generation"), meta.get("deletionTimestamp"))
