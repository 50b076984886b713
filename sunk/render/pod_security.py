"""What of a description Pod Security's baseline would refuse, and so has to be allowed in it; pure.

Without this, such Pods would be refused one by one, by the API server, long after the description
was taken. Source: Kubernetes' Pod Security Standards, baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sunk.model.cluster import SlurmCluster
from sunk.model.overlay import Capabilities, PodOverlay, PodSecurity, Security, SidecarSecurity
from sunk.model.volumes import VolumeMount
from sunk.render import pod_forms
from sunk.render.problem import Path, Problem

_ALLOWED = "what Pod Security's baseline lets through, or say podSecurity: privileged"


def beyond_baseline(cluster: SlurmCluster, components: Iterable[str]) -> Iterator[Problem]:
    """Yield everything beyond baseline of a cluster that does not say that it may be.

    Args:
        cluster: the description.
        components: its fields that have an overlay.
    """
    allowed = cluster.pod_security is PodSecurity.PRIVILEGED
    overlays: list[tuple[Path, PodOverlay | None]] = [
        ((key, "pod"), getattr(cluster, key).pod) for key in components
    ]
    for index, node_set in enumerate(cluster.node_sets):
        if node_set.rdma and not allowed:
            yield Problem(path=("nodeSets", index, "rdma"), value=True, allowed=_ALLOWED)
        overlays.append((("nodeSets", index, "pod"), node_set.pod))
    for path, overlay in overlays:
        if overlay is None:
            continue
        yield from _propagation(path, overlay)
        if not allowed:
            yield from _overlay(path, overlay)


def _overlay(path: Path, overlay: PodOverlay) -> Iterator[Problem]:
    for index, volume in enumerate(overlay.volumes):
        if volume.host_path is not None:
            where: Path = (*path, "volumes", index, "hostPath")
            yield Problem(path=where, value=volume.host_path.path, allowed=_ALLOWED)
    if overlay.pod_security_context is not None:
        for index, one in enumerate(overlay.pod_security_context.sysctls):
            if one.name.replace("/", ".") not in pod_forms.SAFE_SYSCTLS:
                where = (*path, "podSecurityContext", "sysctls", index, "name")
                yield Problem(path=where, value=one.name, allowed=_ALLOWED)
    yield from _rights((*path, "securityContext"), overlay.security_context)
    for index, sidecar in enumerate(overlay.sidecars):
        where = (*path, "sidecars", index, "securityContext")
        yield from _rights(where, sidecar.security_context)


def _rights(path: Path, context: Security | SidecarSecurity | None) -> Iterator[Problem]:
    if context is None:
        return
    if context.privileged:
        yield Problem(path=(*path, "privileged"), value=True, allowed=_ALLOWED)
    for index, name in enumerate((context.capabilities or Capabilities()).add):
        if name not in pod_forms.BASELINE_CAPABILITIES:
            where: Path = (*path, "capabilities", "add", index)
            yield Problem(path=where, value=name, allowed=_ALLOWED)


def _propagation(path: Path, overlay: PodOverlay) -> Iterator[Problem]:
    """Yield mounts whose own mounts would reach the machine, from containers that may not."""
    context = overlay.security_context
    yield from _bidirectional(
        path, overlay.volume_mounts, privileged=context is not None and context.privileged
    )
    for index, sidecar in enumerate(overlay.sidecars):
        rights = sidecar.security_context
        yield from _bidirectional(
            (*path, "sidecars", index),
            sidecar.volume_mounts,
            privileged=rights is not None and rights.privileged,
        )


def _bidirectional(
    path: Path, mounts: Iterable[VolumeMount], *, privileged: bool
) -> Iterator[Problem]:
    for index, mount in enumerate(mounts):
        if mount.mount_propagation == "Bidirectional" and not privileged:
            yield Problem(
                path=(*path, "volumeMounts", index, "mountPropagation"),
                value=mount.mount_propagation,
                allowed="None or HostToContainer; Bidirectional in a privileged container only",
            )
