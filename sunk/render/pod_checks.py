"""What Pod overlays, and a NodeSet's fields about its Pods, must satisfy beyond types; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

from sunk.model.cluster import Images, NodeSet, SlurmCluster
from sunk.model.file_form import camel
from sunk.model.overlay import (
    EnvVar,
    PodOverlay,
    PodSecurityContext,
    Resources,
    Sidecar,
    Toleration,
    TopologySpread,
    Unsatisfiable,
)
from sunk.model.quantity import parse_quantity
from sunk.model.volumes import Volume, VolumeMount
from sunk.render import forms, pod_forms
from sunk.render.ours import OURS, clashes
from sunk.render.pod_security import beyond_baseline
from sunk.render.problem import (
    Path,
    Problem,
    between,
    duplicates,
    formed,
    one_of,
    quantity,
    size,
)

_COMPONENTS = {
    "database": "mariadb",
    "accounting": "slurmdbd",
    "controller": "slurmctld",
    "rest": "slurmrestd",
    "login": "login",
}
"""Where the overlay of each component stands."""


def pod_problems(cluster: SlurmCluster) -> Iterator[Problem]:
    """Yield every fault of what a cluster's Pods have beside what they need."""
    for key, component in _COMPONENTS.items():
        overlay: PodOverlay | None = getattr(cluster, key).pod
        if overlay is not None:
            yield from _overlay((key, "pod"), overlay, component)
    for index, node_set in enumerate(cluster.node_sets):
        path: Path = ("nodeSets", index)
        yield from _node_set(path, node_set)
        if node_set.pod is not None:
            yield from _overlay((*path, "pod"), node_set.pod, "slurmd")
            yield from _worker_resources((*path, "pod", "resources"), node_set)
    yield from beyond_baseline(cluster, _COMPONENTS)


def image_problems(images: Images) -> Iterator[Problem]:
    """Yield every fault of the mirror and the version of a cluster's images."""
    registry = "a registry and folder such as registry.example.org/sunk"
    yield from formed(("images", "registry"), images.registry, pod_forms.REGISTRY, registry)
    yield from formed(("images", "tag"), images.tag, pod_forms.TAG, "an image's tag")
    for name in ("slurm_digest", "login_digest"):
        allowed = "sha256: and 64 hexadecimal digits"
        path = ("images", camel(name))
        yield from formed(path, getattr(images, name), pod_forms.DIGEST, allowed)


def _node_set(path: Path, node_set: NodeSet) -> Iterator[Problem]:
    yield from between((*path, "rdmaCount"), node_set.rdma_count, 1, 64)
    where: Path = (*path, "rdmaResource")
    allowed = "an extended resource such as rdma/hca"
    yield from formed(where, node_set.rdma_resource, forms.GPU_RESOURCE, allowed)
    if node_set.rdma and node_set.gpus and node_set.rdma_resource == node_set.gpu_resource:
        yield Problem(path=where, value=node_set.rdma_resource, allowed="not that of the GPUs")
    if node_set.shm_size is not None:
        yield from _shm_size((*path, "shmSize"), node_set.shm_size, node_set.memory)


def _shm_size(path: Path, text: str, memory: str) -> Iterator[Problem]:
    wrong = tuple(size(path, text))
    yield from wrong
    # A memory that is no quantity is told of where it stands.
    if wrong or tuple(quantity(path, memory)):
        return
    if parse_quantity(text) > parse_quantity(memory):
        allowed = f"at most memory, {memory}, which it counts as"
        yield Problem(path=path, value=text, allowed=allowed)


def _worker_resources(path: Path, node_set: NodeSet) -> Iterator[Problem]:
    """Yield a problem for resources that a node set has fields for: Slurm is told of those."""
    assert node_set.pod is not None
    given = node_set.pod.resources or Resources()
    own = {
        "cpu": "cpu and cpuRequest",
        "memory": "memory and memoryRequest",
        node_set.gpu_resource: "gpus",
    }
    if node_set.rdma:
        own[node_set.rdma_resource] = "rdmaCount"
    for key, amounts in (("requests", given.requests), ("limits", given.limits)):
        for name in sorted(set(amounts) & set(own)):
            allowed = f"the NodeSet's own {own[name]} for it"
            yield Problem(path=(*path, key, name), value=amounts[name], allowed=allowed)


def _overlay(path: Path, overlay: PodOverlay, component: str) -> Iterator[Problem]:
    yield from clashes(path, overlay, OURS[component])
    yield from _words(path, overlay)
    yield from _tolerations((*path, "tolerations"), overlay.tolerations)
    yield from _spreads((*path, "topologySpreadConstraints"), overlay.topology_spread_constraints)
    yield from _volumes((*path, "volumes"), overlay.volumes)
    names = frozenset(one.name for one in overlay.volumes)
    yield from _mounts((*path, "volumeMounts"), overlay.volume_mounts, names)
    yield from _env((*path, "env"), overlay.env)
    yield from _resources((*path, "resources"), overlay.resources)
    yield from _pod_context((*path, "podSecurityContext"), overlay.pod_security_context)
    if overlay.security_context is not None and overlay.security_context.capabilities is not None:
        where: Path = (*path, "securityContext", "capabilities", "add")
        yield from _capabilities(where, overlay.security_context.capabilities.add)
    yield from between(
        (*path, "terminationGracePeriodSeconds"),
        overlay.termination_grace_period_seconds,
        0,
        pod_forms.LONGEST_GRACE_SECONDS,
    )
    for index, sidecar in enumerate(overlay.sidecars):
        yield from _sidecar((*path, "sidecars", index), sidecar, names)
    yield from duplicates((*path, "sidecars"), [("name", one.name) for one in overlay.sidecars])


def _words(path: Path, overlay: PodOverlay) -> Iterator[Problem]:
    for key, words in (
        ("annotations", overlay.annotations),
        ("labels", overlay.labels),
        ("nodeSelector", overlay.node_selector),
    ):
        for name in sorted(words):
            where: Path = (*path, key, name)
            yield from formed(where, name, pod_forms.KEY, pod_forms.KEY_ALLOWED)
            if key != "annotations":
                yield from formed(
                    where, words[name], pod_forms.LABEL_VALUE, pod_forms.LABEL_VALUE_ALLOWED
                )
    for key, value, what in (
        ("priorityClassName", overlay.priority_class_name, "a PriorityClass's name"),
        ("runtimeClassName", overlay.runtime_class_name, "a RuntimeClass's name"),
        ("serviceAccountName", overlay.service_account_name, "a ServiceAccount's name"),
    ):
        yield from formed((*path, key), value, forms.SUBDOMAIN, what)
    for index, secret in enumerate(overlay.pull_secrets):
        yield from formed((*path, "pullSecrets", index), secret, forms.SUBDOMAIN, "a Secret's name")


def _tolerations(path: Path, tolerations: Sequence[Toleration]) -> Iterator[Problem]:
    for index, one in enumerate(tolerations):
        where: Path = (*path, index)
        yield from formed((*where, "key"), one.key, pod_forms.KEY, pod_forms.KEY_ALLOWED)
        yield from one_of((*where, "operator"), one.operator, pod_forms.OPERATORS)
        yield from one_of((*where, "effect"), one.effect, pod_forms.EFFECTS)
        yield from formed(
            (*where, "value"), one.value, pod_forms.LABEL_VALUE, pod_forms.LABEL_VALUE_ALLOWED
        )
        if one.key is None and one.operator != "Exists":
            yield Problem(path=(*where, "key"), value=None, allowed="none with operator Exists")
        if one.value and one.operator == "Exists":
            allowed = "none with operator Exists"
            yield Problem(path=(*where, "value"), value=one.value, allowed=allowed)
        if one.toleration_seconds is not None and one.effect != "NoExecute":
            allowed = "none but with effect NoExecute"
            yield Problem(
                path=(*where, "tolerationSeconds"), value=one.toleration_seconds, allowed=allowed
            )


def _spreads(path: Path, spreads: Sequence[TopologySpread]) -> Iterator[Problem]:
    for index, one in enumerate(spreads):
        where: Path = (*path, index)
        key = one.topology_key
        yield from formed((*where, "topologyKey"), key, pod_forms.KEY, pod_forms.KEY_ALLOWED)
        yield from between((*where, "maxSkew"), one.max_skew, 1, forms.MOST_REPLICAS)
        yield from between((*where, "minDomains"), one.min_domains, 1, forms.MOST_REPLICAS)
        if one.min_domains is not None and one.when_unsatisfiable is Unsatisfiable.SCHEDULE_ANYWAY:
            allowed = "none but with whenUnsatisfiable DoNotSchedule"
            yield Problem(path=(*where, "minDomains"), value=one.min_domains, allowed=allowed)
    pairs = [("topologyKey", f"{one.topology_key} {one.when_unsatisfiable}") for one in spreads]
    yield from duplicates(path, pairs)


def _volumes(path: Path, volumes: Sequence[Volume]) -> Iterator[Problem]:
    for index, one in enumerate(volumes):
        where: Path = (*path, index)
        yield from formed((*where, "name"), one.name, forms.LABEL, forms.LABEL_ALLOWED)
        kinds = [field.name for field in fields(Volume) if field.name != "name"]
        given = [camel(kind) for kind in kinds if getattr(one, kind) is not None]
        if len(given) != 1:
            allowed = f"one of {', '.join(camel(kind) for kind in kinds)}"
            yield Problem(path=where, value=", ".join(given) or None, allowed=allowed)
        if one.empty_dir is not None:
            folder: Path = (*where, "emptyDir")
            yield from one_of((*folder, "medium"), one.empty_dir.medium, pod_forms.MEDIUMS)
            if one.empty_dir.size_limit is not None:
                yield from size((*folder, "sizeLimit"), one.empty_dir.size_limit)
        if one.host_path is not None:
            on_host: Path = (*where, "hostPath")
            allowed = pod_forms.ABSOLUTE_PATH_ALLOWED
            yield from formed((*on_host, "path"), one.host_path.path, pod_forms.HOST_PATH, allowed)
            yield from one_of((*on_host, "type"), one.host_path.type, pod_forms.HOST_PATH_TYPES)
        if one.persistent_volume_claim is not None:
            claim: Path = (*where, "persistentVolumeClaim", "claimName")
            name = one.persistent_volume_claim.claim_name
            yield from formed(claim, name, forms.SUBDOMAIN, "a claim's name")
    yield from duplicates(path, [("name", one.name) for one in volumes])


def _mounts(path: Path, mounts: Sequence[VolumeMount], names: frozenset[str]) -> Iterator[Problem]:
    for index, one in enumerate(mounts):
        where: Path = (*path, index)
        if one.name not in names:
            allowed = f"one of this pod's volumes: {', '.join(sorted(names)) or 'none'}"
            yield Problem(path=(*where, "name"), value=one.name, allowed=allowed)
        yield from formed(
            (*where, "mountPath"),
            one.mount_path,
            pod_forms.ABSOLUTE_PATH,
            pod_forms.ABSOLUTE_PATH_ALLOWED,
        )
        yield from formed(
            (*where, "subPath"), one.sub_path, pod_forms.RELATIVE_PATH, "a path without .."
        )
        yield from one_of(
            (*where, "mountPropagation"), one.mount_propagation, pod_forms.PROPAGATIONS
        )
    yield from duplicates(path, [("mountPath", one.mount_path) for one in mounts])


def _env(path: Path, variables: Sequence[EnvVar]) -> Iterator[Problem]:
    for index, one in enumerate(variables):
        where: Path = (*path, index)
        yield from formed(
            (*where, "name"), one.name, pod_forms.ENV_NAME, pod_forms.ENV_NAME_ALLOWED
        )
        if one.value_from is None:
            continue
        if one.value is not None:
            yield Problem(path=(*where, "value"), value=one.value, allowed="none with valueFrom")
        source: Path = (*where, "valueFrom")
        pairs = (
            ("secretKeyRef", one.value_from.secret_key_ref),
            ("configMapKeyRef", one.value_from.config_map_key_ref),
        )
        given = [(key, ref) for key, ref in pairs if ref is not None]
        if len(given) != 1:
            shown = ", ".join(key for key, _ in given) or None
            yield Problem(path=source, value=shown, allowed="secretKeyRef or configMapKeyRef")
        for key, ref in given:
            yield from formed((*source, key, "name"), ref.name, forms.SUBDOMAIN, "its name")
            allowed = "letters, digits, hyphens, dots and underscores"
            yield from formed((*source, key, "key"), ref.key, pod_forms.DATA_KEY, allowed)
    yield from duplicates(path, [("name", one.name) for one in variables])


def _resources(path: Path, resources: Resources | None) -> Iterator[Problem]:
    if resources is None:
        return
    bad = False
    for key, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        for name in sorted(amounts):
            where: Path = (*path, key, name)
            found = (
                *formed(where, name, pod_forms.RESOURCE, pod_forms.RESOURCE_ALLOWED),
                *quantity(where, amounts[name]),
            )
            bad = bad or bool(found)
            yield from found
    if not bad:
        yield from _pairs(path, resources.requests, resources.limits)


def _pairs(path: Path, requests: Mapping[str, str], limits: Mapping[str, str]) -> Iterator[Problem]:
    for name in sorted(requests):
        where: Path = (*path, "requests", name)
        limit = limits.get(name)
        exact = "/" in name or name.startswith("hugepages-")
        if exact and (limit is None or parse_quantity(limit) != parse_quantity(requests[name])):
            allowed = "for devices and huge pages the same as in limits"
            yield Problem(path=where, value=requests[name], allowed=allowed)
        elif limit is not None and parse_quantity(requests[name]) > parse_quantity(limit):
            yield Problem(path=where, value=requests[name], allowed=f"at most the limit, {limit}")


def _pod_context(path: Path, context: PodSecurityContext | None) -> Iterator[Problem]:
    if context is None:
        return
    for index, group in enumerate(context.supplemental_groups):
        if not 1 <= group <= pod_forms.HIGHEST_ID or group in forms.SYSTEM_IDS:
            allowed = f"1 to {pod_forms.HIGHEST_ID}, none of the daemons' own"
            yield Problem(path=(*path, "supplementalGroups", index), value=group, allowed=allowed)
    for index, one in enumerate(context.sysctls):
        yield from formed(
            (*path, "sysctls", index, "name"), one.name, pod_forms.SYSCTL, "a name with dots"
        )
    yield from duplicates((*path, "sysctls"), [("name", one.name) for one in context.sysctls])


def _capabilities(path: Path, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        yield from formed(
            (*path, index), name, pod_forms.CAPABILITY, "a capability without CAP_, or ALL"
        )
        if name.startswith("CAP_"):
            yield Problem(path=(*path, index), value=name, allowed=name.removeprefix("CAP_"))


def _sidecar(path: Path, sidecar: Sidecar, volumes: frozenset[str]) -> Iterator[Problem]:
    yield from formed((*path, "name"), sidecar.name, forms.LABEL, forms.LABEL_ALLOWED)
    yield from formed((*path, "image"), sidecar.image, forms.IMAGE, "an image name and tag")
    yield from _env((*path, "env"), sidecar.env)
    yield from _resources((*path, "resources"), sidecar.resources)
    yield from _mounts((*path, "volumeMounts"), sidecar.volume_mounts, volumes)
    ports: Path = (*path, "ports")
    for index, port in enumerate(sidecar.ports):
        allowed = "at most 15 lower-case letters, digits and hyphens"
        yield from formed((*ports, index, "name"), port.name, pod_forms.PORT_NAME, allowed)
        yield from between((*ports, index, "containerPort"), port.container_port, 1, 65535)
    yield from duplicates(ports, [("name", port.name) for port in sidecar.ports])
    context = sidecar.security_context
    if context is None:
        return
    where: Path = (*path, "securityContext")
    yield from between((*where, "runAsUser"), context.run_as_user, 0, pod_forms.HIGHEST_ID)
    yield from between((*where, "runAsGroup"), context.run_as_group, 0, pod_forms.HIGHEST_ID)
    if context.capabilities is not None:
        yield from _capabilities((*where, "capabilities", "add"), context.capabilities.add)
