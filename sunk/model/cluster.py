"""The description of a Slurm cluster on Kubernetes: SlurmCluster and its NodeSets.

Field names are the snake_case form of the camelCase keys in the file; `sunk.render.description`
reads and checks the file. Values here are already valid. The same description is applied by
`sunk local` and by the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar

from sunk.errors import InputError
from sunk.model.file_form import FILE_FORM as _FILE_FORM
from sunk.model.overlay import Component, PodOverlay, PodSecurity
from sunk.model.quantity import parse_quantity, whole_cpus, whole_mib
from sunk.model.storage import Database, Storage


class PartitionState(StrEnum):
    """Slurm's words for whether a partition takes and starts jobs."""

    UP = "UP"
    DOWN = "DOWN"
    DRAIN = "DRAIN"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person on the cluster: the same name and ids on every daemon.

    Attributes:
        name: login, Slurm user and name in the accounting database.
        uid: user id, also the id of the private group unless `gid` says otherwise.
        gid: primary group id; `uid` when absent.
        ssh_keys: lines for authorized_keys.
        account: default account in Slurm's accounting.
        admin: Slurm AdminLevel Administrator.
        shell: login shell.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    name: str
    uid: int
    gid: int | None = None
    ssh_keys: tuple[str, ...] = ()
    account: str = "default"
    admin: bool = False
    shell: str = "/bin/bash"

    @property
    def group_id(self) -> int:
        """Primary group id."""
        return self.uid if self.gid is None else self.gid


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersFrom:
    """Where further people stand: one of both.

    Attributes:
        config_map: name of a ConfigMap.
        secret: name of a Secret.
        key: which of its entries.
        account: default account of these people.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    config_map: str | None = None
    secret: str | None = None
    key: str = "passwd"
    account: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A queue over the nodes of some node sets.

    Attributes:
        name: partition name.
        node_sets: names of NodeSet resources; every NodeSet when empty.
        default: where jobs without ``--partition`` go.
        state: UP, DOWN, DRAIN or INACTIVE.
        max_time: Slurm time (``UNLIMITED``, ``1-00:00:00``).
        parameters: further keys of the PartitionName line, as in slurm.conf(5).
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    name: str
    node_sets: tuple[str, ...] = ()
    default: bool = False
    state: PartitionState = PartitionState.UP
    max_time: str = "UNLIMITED"
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Container images: two names, and a mirror and a version for both in one place.

    Attributes:
        slurm: all daemons, MariaDB, Open MPI, mpi4py.
        login: `slurm` with the job toolkit on top.
        registry: registry and folder that stand in both names instead of what is before the last
            slash: a mirror.
        tag: tag of both names, instead of their own.
        slurm_digest: ``sha256:…`` of `slurm`; wins over every tag.
        login_digest: the same for `login`.
        pull_policy: Kubernetes imagePullPolicy.
        pull_secrets: names of Secrets in the namespace.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    slurm: str = "sunk.dev/slurm:local"
    login: str = "sunk.dev/login:local"
    registry: str | None = None
    tag: str | None = None
    slurm_digest: str | None = None
    login_digest: str | None = None
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()

    @property
    def slurm_image(self) -> str:
        """What the daemons' containers are made from."""
        return self._resolved(self.slurm, self.slurm_digest)

    @property
    def login_image(self) -> str:
        """What the login node's container is made from."""
        return self._resolved(self.login, self.login_digest)

    def _resolved(self, name: str, digest: str | None) -> str:
        if self.registry is None and self.tag is None and digest is None:
            return name
        place, _, own_digest = name.partition("@")
        folder, _, last = place.rpartition("/")
        base, _, own_tag = last.partition(":")
        folder = self.registry or folder
        repository = f"{folder}/{base}" if folder else base
        # A digest says exactly what runs; a tag beside it would only be decoration.
        if digest or own_digest:
            return f"{repository}@{digest or own_digest}"
        tag = self.tag or own_tag
        return f"{repository}:{tag}" if tag else repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The login node's way in.

    Attributes:
        service_type: ClusterIP, NodePort or LoadBalancer.
        node_port: fixed port when the type is NodePort.
        pod: what its Pod has beside what it needs.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    service_type: str = "ClusterIP"
    node_port: int | None = None
    pod: PodOverlay | None = None


class DeletionPolicy(StrEnum):
    """What becomes of a cluster's data."""

    RETAIN = "Retain"
    DELETE = "Delete"


class Isolation(StrEnum):
    """What keeps jobs on one worker apart."""

    PROCESS = "process"
    CGROUP = "cgroup"


class Placement(StrEnum):
    """Where the workers of a node set are."""

    REPLICAS = "replicas"
    PER_NODE = "perNode"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSet:
    """Workers of one shape, each one Pod and one Slurm node named ``<name>-<n>``.

    Attributes:
        name: prefix of the Pods' and Slurm nodes' names.
        replicas: how many; not looked at with placement ``perNode``.
        placement: ``replicas`` for that many workers, wherever there is room; ``perNode`` for one
            on each Kubernetes Node, named after it.
        cpu: CPU limit (and request) of the slurmd container; Slurm's CPUs are this, rounded down.
        memory: memory limit; Slurm's RealMemory is this minus `memory_overhead`, in MiB.
        memory_overhead: what slurmd and its helpers need beside the jobs.
        gpus: devices of `gpu_resource`; Slurm's Gres is ``gpu:<gpus>``.
        gpu_resource: extended resource that the device plugin advertises.
        features: Slurm features beside the node set's own name.
        cpu_request: what the scheduler counts, when less than `cpu` (shared test machines).
        memory_request: the same for memory.
        shm_size: the most that fits into ``/dev/shm``, which is in memory and counts as the jobs'.
        rdma: jobs may register memory with RDMA devices: capability IPC_LOCK and the devices of
            `rdma_resource`; needs `pod_security` privileged.
        rdma_resource: extended resource that the RDMA device plugin advertises.
        rdma_count: devices of `rdma_resource` of each worker.
        pod: what the workers' Pods have beside what they need.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    name: str
    replicas: int = 1
    placement: Placement = Placement.REPLICAS
    cpu: str = "1"
    memory: str = "1Gi"
    memory_overhead: str = "128Mi"
    gpus: int = 0
    gpu_resource: str = "nvidia.com/gpu"
    features: tuple[str, ...] = ()
    cpu_request: str | None = None
    memory_request: str | None = None
    shm_size: str | None = None
    rdma: bool = False
    rdma_resource: str = "rdma/hca"
    rdma_count: int = 1
    pod: PodOverlay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmCluster:
    """One Slurm cluster in one namespace.

    Attributes:
        name: Slurm's ClusterName and label on every object.
        namespace: where everything lives.
        images: container images.
        users: people; the same on every daemon.
        users_from: further people, in the form of passwd(5), from a ConfigMap or Secret of the
            namespace; a change reaches every daemon within 90 s.
        partitions: queues; one default partition ``main`` over every node set when empty.
        node_sets: workers.
        storage: claims.
        login: the way in.
        topology: text of topology.conf, as it is; with it TopologyPlugin is ``topology/tree``
            unless `slurm_conf` says otherwise. May name workers that do not exist yet.
        isolation: ``process`` follows a job's processes in an unprivileged Pod, whose memory limit
            is the only one; ``cgroup`` gives each job a cgroup with a memory limit of its own,
            which takes privileged workers and `pod_security` privileged.
        deletion_policy: what happens to claims and keys when the cluster is deleted: ``Retain``
            keeps homes, accounting and slurmctld's state, ``Delete`` removes them.
        database: MariaDB, or the site's own server.
        accounting: slurmdbd.
        controller: slurmctld.
        rest: slurmrestd.
        pod_security: level of Pod Security that the namespace enforces; ``privileged`` when
            something beyond baseline is asked for below: RDMA, hostPath, capabilities.
        slurm_conf: further keys of slurm.conf. Keys that hold the cluster together are refused,
            lists such as SchedulerParameters are merged with ours, defaults are replaced.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    name: str
    namespace: str = "slurm"
    images: Images = field(default_factory=Images)
    users: tuple[User, ...] = ()
    users_from: UsersFrom | None = None
    partitions: tuple[Partition, ...] = ()
    node_sets: tuple[NodeSet, ...] = ()
    storage: Storage = field(default_factory=Storage)
    login: Login = field(default_factory=Login)
    topology: str = ""
    isolation: Isolation = Isolation.PROCESS
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    database: Database = field(default_factory=Database)
    accounting: Component = field(default_factory=Component)
    controller: Component = field(default_factory=Component)
    rest: Component = field(default_factory=Component)
    pod_security: PodSecurity = PodSecurity.BASELINE
    slurm_conf: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape:
    """What a worker tells Slurm that it has; never more than its Pod's limits.

    Attributes:
        cpus: whole CPUs.
        real_memory_mib: MiB for jobs.
        gpus: devices.
        features: the node set's own name first, then the others in order.
    """

    cpus: int
    real_memory_mib: int
    gpus: int
    features: tuple[str, ...]


def slurm_shape(node_set: NodeSet) -> NodeShape:
    """Return the Slurm node that a worker of this set registers as.

    Raises:
        InputError: after rounding down and taking off the overhead nothing is left for jobs.
    """
    cpus = whole_cpus(node_set.cpu)
    # Both are rounded in the direction that promises less: the rest of one MiB is not for jobs.
    memory_mib = whole_mib(node_set.memory) - _mib_rounded_up(node_set.memory_overhead)
    if cpus < 1:
        raise InputError(
            f"shape node set {node_set.name}: cpu {node_set.cpu} leaves no whole CPU for jobs",
            hint="Slurm counts whole CPUs: set cpu to 1 or more",
        )
    if memory_mib < 1:
        raise InputError(
            f"shape node set {node_set.name}: memory {node_set.memory} less the overhead of "
            f"{node_set.memory_overhead} leaves less than 1 MiB for jobs",
            hint="raise memory or lower memoryOverhead",
        )
    features = tuple(dict.fromkeys((node_set.name, *node_set.features)))
    return NodeShape(cpus=cpus, real_memory_mib=memory_mib, gpus=node_set.gpus, features=features)


def effective_partitions(cluster: SlurmCluster) -> tuple[Partition, ...]:
    """Return the partitions sorted by name: the described ones, or ``main`` when there are none."""
    if not cluster.partitions:
        return (Partition(name="main", default=True),)
    return tuple(sorted(cluster.partitions, key=lambda partition: partition.name))


def with_user_key(cluster: SlurmCluster, user: str, key: str) -> SlurmCluster:
    """Return the cluster with one more SSH public key for a user (once, however often called).

    Raises:
        InputError: the cluster has no such user.
    """
    names = [one.name for one in cluster.users]
    if user not in names:
        raise InputError(
            f"add an SSH key for {user}: no such user in cluster {cluster.name}",
            hint=f"users: {', '.join(sorted(names)) or 'none'}",
        )
    users = tuple(
        replace(one, ssh_keys=(*one.ssh_keys, key))
        if one.name == user and key not in one.ssh_keys
        else one
        for one in cluster.users
    )
    return replace(cluster, users=users)


def _mib_rounded_up(text: str) -> int:
    return -((-parse_quantity(text)) // 2**20)
