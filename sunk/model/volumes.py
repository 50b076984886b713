"""Volumes that a site adds to Pods, with Kubernetes' keys.

The kinds that are looked into here have their own form. The others are kept as they stand
(`Untyped`) for the reason that `sunk.model.overlay` gives for affinity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sunk.model.file_form import FILE_FORM

Untyped = Mapping[str, Any]
"""An object in Kubernetes' own form, passed on as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyDir:
    """A folder that lives as long as its Pod.

    Attributes:
        medium: ``Memory``; the machine's disk when absent.
        size_limit: the most that fits, as a quantity.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    medium: str | None = None
    size_limit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPath:
    """A file or folder of the machine; needs `pod_security` privileged.

    Attributes:
        path: where it is on the machine.
        type: what must be there, such as ``Directory`` or ``DirectoryOrCreate``; no check when
            absent.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    path: str
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVolume:
    """A persistent volume claim of the namespace.

    Attributes:
        claim_name: the claim.
        read_only: nobody in the Pod can write it.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    claim_name: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume of the Pod: a name and one source.

    Attributes:
        name: what `volume_mounts` call it.
        empty_dir: a folder that lives as long as the Pod.
        host_path: a file or folder of the machine; needs `pod_security` privileged.
        persistent_volume_claim: a claim of the namespace.
        config_map: files of a ConfigMap, in Kubernetes' form.
        secret: files of a Secret, in Kubernetes' form.
        projected: files of several, in Kubernetes' form.
        csi: a driver's own volume, in Kubernetes' form.
        ephemeral: a claim that lives as long as the Pod, in Kubernetes' form.
        image: the files of an image, in Kubernetes' form.
        nfs: a folder of an NFS server, in Kubernetes' form.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None
    persistent_volume_claim: ClaimVolume | None = None
    config_map: Untyped | None = None
    secret: Untyped | None = None
    projected: Untyped | None = None
    csi: Untyped | None = None
    ephemeral: Untyped | None = None
    image: Untyped | None = None
    nfs: Untyped | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount:
    """Where a container sees a volume.

    Attributes:
        name: one of `volumes`.
        mount_path: absolute path in the container.
        read_only: the container cannot write it.
        sub_path: a folder of the volume instead of its root.
        mount_propagation: ``None``, ``HostToContainer`` or ``Bidirectional``; None when absent.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str | None = None
    mount_propagation: str | None = None
