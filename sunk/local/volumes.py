"""A provisioner for the local cluster: each claim gets a folder of the state folder.

Stands in for a storage system and says so in its name; the claims, volumes and their binding are
Kubernetes' own. All nodes of a local cluster see the same folders, so ReadWriteMany holds. The
volumes are of type ``local`` (not hostPath), because the kubelet honours fsGroup only there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from sunk.clients.kube.protocol import Kube
from sunk.errors import RemoteError
from sunk.local.diary import Diary
from sunk.model.kube import (
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    KubeObject,
    name_of,
)

STORAGE_CLASS_NAME = "sunk-local-folder"
PROVISIONER = "local.sunk.dev/folder"
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Provide:
    """Make the folder and the volume for a claim."""

    volume: str
    claim: KubeObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Remove a volume whose claim is gone, then its folder."""

    volume: str


Action = Provide | Discard


def storage_class() -> KubeObject:
    """Return the cluster's default StorageClass."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS_NAME,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def plan_volumes(claims: Iterable[KubeObject], volumes: Iterable[KubeObject]) -> tuple[Action, ...]:
    """Return what brings the volumes in line with the claims, within our StorageClass."""
    volumes = tuple(volumes)
    existing = {name_of(volume) for volume in volumes}
    wanted = {
        volume_name(claim): claim
        for claim in claims
        if claim["spec"].get("storageClassName") == STORAGE_CLASS_NAME
    }
    provide = [
        Provide(volume=name, claim=wanted[name]) for name in sorted(wanted) if name not in existing
    ]
    discard = [
        Discard(volume=name_of(volume))
        for volume in sorted(volumes, key=name_of)
        if volume["spec"].get("storageClassName") == STORAGE_CLASS_NAME
        and volume.get("status", {}).get("phase") == "Released"
        and name_of(volume) not in wanted
    ]
    return (*provide, *discard)


def volume_name(claim: KubeObject) -> str:
    """Return the name of the volume for a claim: its uid makes it unique for ever."""
    return f"folder-{claim['metadata']['uid']}"


def volume_object(claim: KubeObject, folder: Path) -> KubeObject:
    """Return the volume that a claim gets."""
    meta = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim)},
        "spec": {
            "accessModes": list(claim["spec"]["accessModes"]),
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "local": {"path": str(folder)},
            # A local volume needs a node affinity; this one holds on every node.
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "Exists"}
                            ]
                        }
                    ]
                }
            },
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS_NAME,
        },
    }


def apply_volumes(kube: Kube, actions: Iterable[Action], root: Path) -> None:
    """Carry out the actions; each folder lies directly in `root`."""
    for action in actions:
        match action:
            case Provide(volume=volume, claim=claim):
                folder = root / volume
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o777)
                kube.apply(volume_object(claim, folder))
            case Discard(volume=volume):
                kube.delete(PERSISTENT_VOLUME, volume)
                shutil.rmtree(root / volume, ignore_errors=True)
            case _:
                assert_never(action)


def serve(kube: Kube, root: Path, diary: Diary, working: Callable[[], None]) -> None:
    """Look and act for ever; an API server that is away, or a full disk, is waited for.

    Args:
        kube: the cluster.
        root: parent of the volumes' folders.
        diary: told each trouble, and its end.
        working: called after every round without one.
    """
    while True:
        serve_once(kube, root, diary, working)
        time.sleep(_POLL_SECONDS)


def serve_once(kube: Kube, root: Path, diary: Diary, working: Callable[[], None]) -> None:
    """Go once through all claims and volumes."""
    subject = "provide volumes"
    try:
        claims = kube.list(PERSISTENT_VOLUME_CLAIM)
        volumes = kube.list(PERSISTENT_VOLUME)
        apply_volumes(kube, plan_volumes(claims, volumes), root)
        working()
    except (RemoteError, OSError) as exc:
        diary.trouble(subject, f"{subject}: {exc}")
    else:
        diary.fine(subject)
