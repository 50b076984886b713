"""Software that the login node and workers of a local cluster share, as sites share theirs.

One folder of this machine, seen read-only in every Pod through a PersistentVolume. It is of type
hostPath, which Pods of the baseline level may use only behind a claim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sunk.model.cluster import Login, NodeSet, SlurmCluster
from sunk.model.kube import KubeObject
from sunk.model.overlay import PodOverlay
from sunk.model.volumes import ClaimVolume, Volume, VolumeMount

_SIZE = "6Gi"
"""Nobody measures it; a claim has to name one."""
_With = TypeVar("_With", Login, NodeSet)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSoftware:
    """A folder of software.

    Attributes:
        name: of the volume in Pods.
        folder: where it is on this machine; its parent's name tells its content.
        mount_path: where Pods see it.
    """

    name: str
    folder: Path
    mount_path: str

    @property
    def claim(self) -> str:
        """Name of claim and volume: another content is another volume, and rolls the Pods."""
        return f"{self.name}-{self.folder.parent.name}"

    def objects(self, namespace: str) -> tuple[KubeObject, KubeObject]:
        """Return the volume and the claim of a namespace, bound to each other."""
        modes = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
        volume = f"{namespace}-{self.claim}"
        return (
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {
                    **modes,
                    "capacity": {"storage": _SIZE},
                    "claimRef": {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "name": self.claim,
                        "namespace": namespace,
                    },
                    "hostPath": {"path": str(self.folder), "type": "Directory"},
                    "persistentVolumeReclaimPolicy": "Retain",
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": self.claim, "namespace": namespace},
                "spec": {
                    **modes,
                    "resources": {"requests": {"storage": _SIZE}},
                    "volumeName": volume,
                },
            },
        )

    def seen_by(self, cluster: SlurmCluster) -> SlurmCluster:
        """Return the description with the folder on its login node and all workers."""
        return replace(
            cluster,
            login=self._seen_by(cluster.login),
            node_sets=tuple(self._seen_by(one) for one in cluster.node_sets),
        )

    def _seen_by(self, part: _With) -> _With:
        before: PodOverlay = part.pod or PodOverlay()
        if any(one.name == self.name for one in before.volumes):
            return part  # the description has one of its own
        claim = ClaimVolume(claim_name=self.claim, read_only=True)
        volume = Volume(name=self.name, persistent_volume_claim=claim)
        mount = VolumeMount(name=self.name, mount_path=self.mount_path, read_only=True)
        pod = replace(
            before,
            volumes=(*before.volumes, volume),
            volume_mounts=(*before.volume_mounts, mount),
        )
        return replace(part, pod=pod)
