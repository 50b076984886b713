"""The short-lived DaemonSet through which hosts are asked that have no suitable Pod; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sunk.model.kube import KubeObject
from sunk.wellknown import ANNOTATION_COLLECT_UNTIL, LABEL_COLLECT, LABEL_MANAGED_BY

HOST_FOLDER = "/host"
SHELL = ("chroot", HOST_FOLDER, "/bin/sh")
"""What is run in its Pods: the host's own programs, in the host's own root file system."""


def name_of(token: str) -> str:
    """Return the object's name."""
    return f"sunk-collect-{token}"


def left_over(objects: Iterable[KubeObject], now: str) -> tuple[str, ...]:
    """Return the names of those that a killed collection left.

    Args:
        objects: all DaemonSets of a namespace.
        now: in UTC.
    """
    found = []
    for one in objects:
        until = one["metadata"].get("annotations", {}).get(ANNOTATION_COLLECT_UNTIL, "")
        if until and until < now:
            found.append(str(one["metadata"]["name"]))
    return tuple(found)


def daemon_set(
    token: str, *, namespace: str, image: str, nodes: Sequence[str], until: str
) -> KubeObject:
    """Return the object.

    It sees what an administrator of the host sees: its network, its processes, its files, devices.
    Files are mounted read-only, and no credentials of Kubernetes are given to it.

    Args:
        token: tells collections apart.
        namespace: where it is made.
        image: anything with ``sh``, ``sleep`` and ``chroot``.
        nodes: Kubernetes Nodes that it runs on, and no others.
        until: when it may be deleted by others, in UTC.
    """
    labels = {LABEL_COLLECT: token, LABEL_MANAGED_BY: "sunk"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": name_of(token),
            "namespace": namespace,
            "labels": labels,
            "annotations": {ANNOTATION_COLLECT_UNTIL: until},
        },
        "spec": {
            "selector": {"matchLabels": {LABEL_COLLECT: token}},
            "template": {"metadata": {"labels": labels}, "spec": _pod(image, nodes)},
        },
    }


def _pod(image: str, nodes: Sequence[str]) -> KubeObject:
    terms = [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [one]}]}
        for one in sorted(nodes)
    ]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    container = {
        "name": "collect",
        "image": image,
        "command": ["sleep", "1000000"],
        "securityContext": {"privileged": True, "runAsUser": 0},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "volumeMounts": [{"name": "host", "mountPath": HOST_FOLDER, "readOnly": True}],
    }
    return {
        "hostNetwork": True,
        "hostPID": True,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "affinity": {"nodeAffinity": required},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "host", "hostPath": {"path": "/", "type": "Directory"}}],
    }
