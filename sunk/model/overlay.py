"""What a site adds to the Pods of a Slurm cluster: where they run, what they see, what is beside.

The keys are those of a Kubernetes Pod, so that what is known from there can be pasted here, except
where we choose for the reader: Secrets for images are names, sidecars have one form. Whatever the
renderers put into a Pod themselves wins: `sunk.render.kube.overlay` joins the two, and
`sunk.render.pod_checks` refuses what would clash.

Affinity is kept as it stands (`Untyped`): Kubernetes' own schema for it is longer than all of ours
and grows with each release, nothing here acts on what it says, and the API server checks it when
the Pods are applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from sunk.model.file_form import FILE_FORM
from sunk.model.volumes import Untyped, Volume, VolumeMount


class PodSecurity(StrEnum):
    """Levels of Pod Security that a cluster's namespace can enforce."""

    BASELINE = "baseline"
    PRIVILEGED = "privileged"


class Unsatisfiable(StrEnum):
    """What the scheduler does with a Pod that would break a spread."""

    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Requests and limits of a container.

    Attributes:
        requests: what the scheduler counts: quantities by resource.
        limits: the most that the container gets: quantities by resource.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """A taint of Nodes that Pods may run beside.

    Attributes:
        key: the taint's key; every key when absent, with operator Exists.
        operator: ``Equal`` (key and value) or ``Exists`` (the key is enough).
        value: the taint's value, with operator Equal.
        effect: ``NoSchedule``, ``PreferNoSchedule`` or ``NoExecute``; every effect when absent.
        toleration_seconds: how long a Pod stays on a Node that gets a NoExecute taint.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    key: str | None = None
    operator: str = "Equal"
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologySpread:
    """How the Pods of one component, or of one node set, are spread over the machines.

    Attributes:
        topology_key: label of Nodes; equal values are one place.
        max_skew: by how many Pods two places may differ.
        when_unsatisfiable: ``ScheduleAnyway`` or ``DoNotSchedule``.
        min_domains: places that there must be, with DoNotSchedule.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    topology_key: str
    max_skew: int = 1
    when_unsatisfiable: Unsatisfiable = Unsatisfiable.SCHEDULE_ANYWAY
    min_domains: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRef:
    """A key of a Secret or ConfigMap of the namespace.

    Attributes:
        name: the Secret or ConfigMap.
        key: the key in it.
        optional: without it the variable is not set; otherwise the container does not start.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSource:
    """Where the value of a variable comes from: one of the two.

    Attributes:
        secret_key_ref: a key of a Secret.
        config_map_key_ref: a key of a ConfigMap.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar:
    """An environment variable.

    Attributes:
        name: letters, digits and underscores, no digit first.
        value: its value; may use earlier ones as ``$(NAME)``.
        value_from: where the value comes from, instead of `value`.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    value: str | None = None
    value_from: EnvSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Linux capabilities beside those that a container has from us.

    Attributes:
        add: names without CAP_; those beyond Pod Security's baseline need `pod_security`
            privileged.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    add: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What the main container may do; its user and its root file system stay ours.

    Attributes:
        capabilities: further capabilities.
        privileged: everything that root of the machine may do; needs `pod_security` privileged.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    capabilities: Capabilities | None = None
    privileged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSecurity:
    """What a sidecar may do: without further words, nothing beyond its user's own rights.

    Attributes:
        capabilities: capabilities; none without.
        privileged: everything that root of the machine may do; needs `pod_security` privileged.
        run_as_user: user id; the image's when absent.
        run_as_group: group id; the image's when absent.
        read_only_root_filesystem: the image's files cannot be written.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    capabilities: Capabilities | None = None
    privileged: bool = False
    run_as_user: int | None = None
    run_as_group: int | None = None
    read_only_root_filesystem: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl:
    """A kernel setting of the Pod's own namespaces.

    Attributes:
        name: with dots, as in ``net.ipv4.tcp_syncookies``; those that Kubernetes does not call
            safe need `pod_security` privileged and the kubelet's consent.
        value: its value.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSecurityContext:
    """What holds for all containers of a Pod.

    Attributes:
        supplemental_groups: further groups of every process.
        sysctls: kernel settings.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    supplemental_groups: tuple[int, ...] = ()
    sysctls: tuple[Sysctl, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarPort:
    """A port of a sidecar.

    Attributes:
        name: at most 15 lower-case letters, digits and hyphens.
        container_port: where the sidecar listens, TCP.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    container_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A container that starts before ours, runs beside it and ends after it.

    Kubernetes' sidecar form: an init container with restartPolicy Always.

    Attributes:
        name: the container's name.
        image: the full name of its image; `images` does not change it.
        command: its program and arguments; the image's entry point when empty.
        args: arguments of the program.
        env: environment variables.
        ports: where it listens.
        resources: requests and limits.
        security_context: what it may do.
        volume_mounts: where it sees the volumes of this Pod's `volumes`.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[SidecarPort, ...] = ()
    resources: Resources | None = None
    security_context: SidecarSecurity | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodOverlay:
    """What the Pods of one component have beside what they need to be it.

    Attributes:
        affinity: Kubernetes' affinity: nodeAffinity, podAffinity, podAntiAffinity.
        annotations: further annotations, for example of networks.
        automount_service_account_token: the Pod gets a token for the API server.
        env: environment variables of the main container.
        host_users: ``false`` gives the Pod a user namespace of its own; Kubernetes chooses when
            absent.
        labels: further labels.
        node_selector: labels that a Node must have.
        pod_security_context: what holds for all containers.
        priority_class_name: PriorityClass.
        pull_secrets: names of Secrets for images, beside those of `images`.
        resources: requests and limits of the main container, over ours. On a NodeSet without cpu,
            memory and devices, which are fields of its own.
        runtime_class_name: RuntimeClass.
        security_context: what the main container may do.
        service_account_name: ServiceAccount; the namespace's default when absent.
        sidecars: containers beside ours.
        termination_grace_period_seconds: from the wish to stop until the kill; at least ours. On
            workers it is how long jobs may go on, plus 45 s.
        tolerations: taints that the Pods may run beside.
        topology_spread_constraints: how the component's Pods are spread, instead of ours.
        volume_mounts: where the main container sees `volumes`.
        volumes: further volumes.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    affinity: Untyped | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    automount_service_account_token: bool = False
    env: tuple[EnvVar, ...] = ()
    host_users: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    pod_security_context: PodSecurityContext | None = None
    priority_class_name: str | None = None
    pull_secrets: tuple[str, ...] = ()
    resources: Resources | None = None
    runtime_class_name: str | None = None
    security_context: Security | None = None
    service_account_name: str | None = None
    sidecars: tuple[Sidecar, ...] = ()
    termination_grace_period_seconds: int | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpread, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A daemon that nobody logs in to.

    Attributes:
        pod: what its Pod has beside what it needs.
    """

    __pydantic_config__: ClassVar[Any] = FILE_FORM
    pod: PodOverlay | None = None
