"""Strategies for what a site adds to Pods, and the Pods of rendered objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from sunk.model.cluster import Images, SlurmCluster
from sunk.model.overlay import (
    Capabilities,
    EnvSource,
    EnvVar,
    KeyRef,
    PodOverlay,
    PodSecurity,
    PodSecurityContext,
    Resources,
    Security,
    Sidecar,
    SidecarPort,
    SidecarSecurity,
    Sysctl,
    Toleration,
    TopologySpread,
    Unsatisfiable,
)
from sunk.model.volumes import ClaimVolume, EmptyDir, HostPath, Volume, VolumeMount
from sunk.render.kube import render_objects
from sunk.render.kube.files import render_files
from sunk.render.kube.nodes import worker_pod
from tests.support.render import clusters, fixed_keys, labels

COMPONENTS = {
    "database": "mariadb",
    "accounting": "slurmdbd",
    "controller": "slurmctld",
    "rest": "slurmrestd",
    "login": "login",
}
"""Where the overlay of a component stands, and its workload's name."""

# Upper case or a prefix, so that they never are a name of ours.
_own_names = labels.map(lambda name: f"site-{name}")
_variables = st.from_regex(r"SITE_[A-Z0-9_]{0,8}", fullmatch=True)
_keys = st.sampled_from(["example.org/a", "b", "topology.kubernetes.io/zone", "Site_x.y"])
_words = st.from_regex(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,9}[A-Za-z0-9])?)?", fullmatch=True)
_lines = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_sizes = st.sampled_from(["1Gi", "500M", "2000000000"])
_untyped = st.recursive(
    st.booleans() | st.integers(-9, 9) | _words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_keys, inner, max_size=2),
    max_leaves=4,
)
_objects = st.dictionaries(_keys, _untyped, min_size=1, max_size=3)
_refs = st.builds(KeyRef, name=_own_names, key=_keys.map(lambda key: key.replace("/", ".")))
_env_vars = st.builds(EnvVar, name=_variables, value=st.none() | _lines) | st.builds(
    EnvVar,
    name=_variables,
    value_from=st.builds(EnvSource, secret_key_ref=_refs)
    | st.builds(EnvSource, config_map_key_ref=_refs),
)


def _unique(items: st.SearchStrategy[Any], key: str, most: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(items, max_size=most, unique_by=lambda one: getattr(one, key)).map(tuple)


def _amounts(names: tuple[str, ...]) -> st.SearchStrategy[Resources]:
    return st.dictionaries(st.sampled_from(names), _sizes, max_size=2).flatmap(
        lambda limits: st.sampled_from([{}, limits]).map(
            lambda requests: Resources(requests=requests, limits=limits)
        )
    )


_volumes = st.builds(Volume, name=_own_names, empty_dir=st.builds(EmptyDir, size_limit=_sizes))
_volumes |= st.builds(
    Volume,
    name=_own_names,
    host_path=st.builds(HostPath, path=st.sampled_from(["/", "/dev/infiniband"])),
)
_volumes |= st.builds(
    Volume,
    name=_own_names,
    persistent_volume_claim=st.builds(ClaimVolume, claim_name=_own_names, read_only=st.booleans()),
)
_volumes |= st.builds(Volume, name=_own_names, csi=_objects)
_tolerations = st.builds(
    Toleration,
    key=_keys,
    operator=st.just("Equal"),
    value=_words,
    effect=st.sampled_from([None, "NoSchedule"]),
) | st.builds(
    Toleration,
    key=st.none() | _keys,
    operator=st.just("Exists"),
    effect=st.just("NoExecute"),
    toleration_seconds=st.none() | st.integers(0, 600),
)
_spreads = st.builds(
    TopologySpread,
    topology_key=_keys,
    max_skew=st.integers(1, 3),
    when_unsatisfiable=st.sampled_from(Unsatisfiable),
)
_capabilities = st.none() | st.builds(
    Capabilities,
    add=st.lists(st.sampled_from(["IPC_LOCK", "SYS_ADMIN", "KILL", "SYS_NICE"]), unique=True).map(
        tuple
    ),
)


def _mounts(names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    if not names:
        return st.just(())
    places = st.sampled_from(["/scratch", "/opt/site", "/home/shared", "/usr/share/site"])
    one = st.builds(
        VolumeMount, name=st.sampled_from(names), mount_path=places, read_only=st.booleans()
    )
    return _unique(one, "mount_path", 2)


@st.composite
def overlays(draw: st.DrawFn, resources: tuple[str, ...]) -> PodOverlay:
    """Valid overlays for a description that allows what baseline does not."""
    volumes = draw(_unique(_volumes, "name"))
    names = tuple(one.name for one in volumes)
    sidecars = st.builds(
        Sidecar,
        name=_own_names,
        image=st.just("registry.example.org/exporter:1"),
        command=st.lists(_lines, max_size=2).map(tuple),
        env=_unique(_env_vars, "name", 2),
        ports=_unique(
            st.builds(SidecarPort, name=st.just("metrics"), container_port=st.just(9100)), "name"
        ),
        resources=st.none() | _amounts(("cpu", "memory")),
        security_context=st.none()
        | st.builds(SidecarSecurity, capabilities=_capabilities, privileged=st.booleans()),
        volume_mounts=_mounts(names),
    )
    return PodOverlay(
        affinity=draw(st.none() | _objects),
        annotations=draw(st.dictionaries(_keys, _lines, max_size=3)),
        automount_service_account_token=draw(st.booleans()),
        env=draw(_unique(_env_vars, "name")),
        host_users=draw(st.none() | st.booleans()),
        labels=draw(st.dictionaries(_keys, _words, max_size=3)),
        node_selector=draw(st.dictionaries(_keys, _words, max_size=3)),
        pod_security_context=draw(
            st.none()
            | st.builds(
                PodSecurityContext,
                supplemental_groups=st.lists(st.integers(1, 60000), max_size=2).map(tuple),
                sysctls=_unique(
                    st.builds(Sysctl, name=st.just("net.core.somaxconn"), value=_words), "name"
                ),
            )
        ),
        priority_class_name=draw(st.none() | _own_names),
        pull_secrets=tuple(draw(st.lists(_own_names, max_size=2, unique=True))),
        resources=draw(st.none() | _amounts(resources)),
        runtime_class_name=draw(st.none() | _own_names),
        security_context=draw(
            st.none() | st.builds(Security, capabilities=_capabilities, privileged=st.booleans())
        ),
        service_account_name=draw(st.none() | _own_names),
        sidecars=draw(_unique(sidecars, "name", 2)),
        termination_grace_period_seconds=draw(st.none() | st.integers(120, 9000)),
        tolerations=tuple(draw(st.lists(_tolerations, max_size=2))),
        topology_spread_constraints=draw(_unique(_spreads, "topology_key", 2)),
        volume_mounts=draw(_mounts(names)),
        volumes=volumes,
    )


@st.composite
def overlaid_clusters(draw: st.DrawFn) -> SlurmCluster:
    """Valid clusters that add to the Pods of every component."""
    cluster = draw(clusters())
    names = ("cpu", "memory", "ephemeral-storage")
    daemons = {
        key: replace(getattr(cluster, key), pod=draw(st.none() | overlays(names)))
        for key in COMPONENTS
    }
    sets = tuple(
        replace(
            one,
            pod=draw(st.none() | overlays(("ephemeral-storage", "example.org/device"))),
            shm_size=draw(st.sampled_from([None, "256Mi"])),
            rdma=draw(st.booleans()),
            rdma_resource=draw(st.sampled_from(["rdma/hca", "example.org/rdma"])),
            rdma_count=draw(st.integers(1, 8)),
        )
        for one in cluster.node_sets
    )
    images = replace(
        cluster.images,
        registry=draw(st.sampled_from([None, "mirror.example.org:5000/a/b"])),
        tag=draw(st.sampled_from([None, "24.11.5"])),
        login_digest=draw(st.sampled_from([None, f"sha256:{'0' * 64}"])),
    )
    assert isinstance(images, Images)
    return replace(
        cluster,
        **daemons,
        images=images,
        node_sets=sets,
        pod_security=PodSecurity.PRIVILEGED,
    )


def without_overlays(cluster: SlurmCluster) -> SlurmCluster:
    """The same cluster with nothing added to its Pods."""
    return replace(
        cluster,
        **{key: replace(getattr(cluster, key), pod=None) for key in COMPONENTS},
        node_sets=tuple(replace(one, pod=None) for one in cluster.node_sets),
    )


def everything(cluster: SlurmCluster, key_mark: str = "k") -> tuple[Mapping[str, Any], ...]:
    """All objects, and the first worker of each node set."""
    keys = fixed_keys(key_mark)
    files = render_files(cluster, keys)
    return (
        *render_objects(cluster, keys),
        *(
            worker_pod(cluster, one, keys, files, name=f"{one.name}-0")
            for one in sorted(cluster.node_sets, key=lambda one: one.name)
        ),
    )


def pods(objects: tuple[Mapping[str, Any], ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of the workload, or of the worker's node set, and its Pod or template."""
    for item in objects:
        template = item.get("spec", {}).get("template")
        if template:
            yield item["metadata"]["name"], template
        elif item["kind"] == "Pod":
            yield item["metadata"]["labels"]["sunk.dev/node-set"], dict(item)
