"""Beginnings and ends of custom resources: finalizers, and what goes with a SlurmCluster."""

from __future__ import annotations

from collections.abc import Iterable

from sunk import wellknown
from sunk.bridge.wishes import Wishes, is_deleting
from sunk.clients.kube.protocol import Kube
from sunk.errors import NotFound
from sunk.model.kube import (
    CONFIG_MAP,
    DEPLOYMENT,
    NODE_SET,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    SERVICE,
    SLURM_CLUSTER,
    STATEFUL_SET,
    Kind,
    KubeObject,
    Pod,
    name_of,
)
from sunk.wellknown import FINALIZER, LABEL_NODE_SET

_DAEMONS = (DEPLOYMENT, STATEFUL_SET, SERVICE, CONFIG_MAP)
_DATA = (SECRET, PERSISTENT_VOLUME_CLAIM)


def hold_new(kube: Kube, wishes: Wishes) -> None:
    """Put our finalizer on resources that lack it, so that they cannot vanish over running jobs.

    Raises:
        RemoteError: one could not be written; the next round tries again.
    """
    heads = () if wishes.head is None else (wishes.head,)
    for kind, things in ((SLURM_CLUSTER, heads), (NODE_SET, wishes.node_sets)):
        for thing in things:
            names = _finalizers(thing)
            if FINALIZER not in names and not is_deleting(thing):
                _write_finalizers(kube, kind, thing, (*names, FINALIZER))


def let_go(kube: Kube, wishes: Wishes, pods: Iterable[Pod], *, pods_known: bool) -> str:
    """Take the finalizer off what is deleted and has nothing left; remove a cluster's daemons.

    Args:
        kube: Kubernetes.
        wishes: what is wanted.
        pods: worker Pods of the namespace.
        pods_known: whether `pods` are all there are.

    Returns:
        What a deleted SlurmCluster waits for; empty without one, and when it is done.

    Raises:
        RemoteError: something could not be read or written; the next round tries again.
    """
    if not pods_known:
        return "the list of Pods is in doubt" if wishes.deleting else ""
    inhabited = {pod.labels.get(LABEL_NODE_SET, "") for pod in pods}
    for thing in wishes.node_sets:
        if is_deleting(thing) and name_of(thing) not in inhabited:
            _release(kube, NODE_SET, thing)
    for thing in wishes.others:
        if is_deleting(thing):
            _release(kube, SLURM_CLUSTER, thing)
    if wishes.head is None or not wishes.deleting:
        return ""
    if inhabited:
        return f"{len(list(pods))} workers are still there"
    left = _remove_daemons(kube, wishes.head)
    if not left:
        _release(kube, SLURM_CLUSTER, wishes.head)
    return left


def _remove_daemons(kube: Kube, head: KubeObject) -> str:
    """Delete a cluster's objects; its data only if it says so. Returns what is still there."""
    namespace = head["metadata"]["namespace"]
    selector = f"{wellknown.LABEL_INSTANCE}={name_of(head)},{wellknown.LABEL_MANAGED_BY}=sunk"
    everything = (head.get("spec") or {}).get("deletionPolicy") == "Delete"
    for kind in (*_DAEMONS, *(_DATA if everything else ())):
        for thing in kube.list(kind, namespace, selector):
            if not is_deleting(thing):
                _delete(kube, kind, thing)
    # The claims of running Pods would stay until those are gone, and so would their records.
    pods = kube.list(POD, namespace, selector)
    return f"waiting for {', '.join(name_of(one) for one in pods)} to end" if pods else ""


def _delete(kube: Kube, kind: Kind, thing: KubeObject) -> None:
    try:
        kube.delete(kind, name_of(thing), thing["metadata"]["namespace"])
    except NotFound:
        return


def _finalizers(thing: KubeObject) -> tuple[str, ...]:
    return tuple(thing["metadata"].get("finalizers") or ())


def _release(kube: Kube, kind: Kind, thing: KubeObject) -> None:
    names = _finalizers(thing)
    if FINALIZER in names:
        _write_finalizers(kube, kind, thing, tuple(one for one in names if one != FINALIZER))


def _write_finalizers(kube: Kube, kind: Kind, thing: KubeObject, names: tuple[str, ...]) -> None:
    # With the version that was read: what somebody else changed meanwhile is not overwritten.
    meta = {"finalizers": list(names), "resourceVersion": thing["metadata"]["resourceVersion"]}
    try:
        kube.merge(kind, name_of(thing), {"metadata": meta}, thing["metadata"]["namespace"])
    except NotFound:
        return
