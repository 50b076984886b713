"""What a job needs to know of a cluster before it is written: the cluster profile.

Partly detected, partly written by the site. What could not be found out is listed under `unknown`;
any other absent value means that there is none: no limit, no module, no price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from sunk.model.file_form import FILE_FORM as _FILE_FORM


class FabricKind(StrEnum):
    """What the nodes' fast network is."""

    INFINIBAND = "infiniband"
    ROCE = "roce"
    EFA = "efa"
    SLINGSHOT = "slingshot"
    TCP = "tcp"


class TopologyPlugin(StrEnum):
    """How Slurm plans places."""

    TREE = "tree"
    BLOCK = "block"
    FLAT = "flat"


class ContainerRuntime(StrEnum):
    """What starts a job's containers."""

    PYXIS = "pyxis"
    APPTAINER = "apptainer"


class MountPurpose(StrEnum):
    """What a folder is for."""

    HOME = "home"
    SHARED = "shared"
    SCRATCH = "scratch"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSettings:
    """What slurm.conf says about jobs.

    Attributes:
        version: release.
        topology: how Slurm plans places.
        mpi_default: what `srun --mpi` is without the option.
        max_array_size: indices of an array are below it.
        requeue: a job that lost its node starts again unless it says otherwise.
        kill_wait_seconds: time between SIGTERM and SIGKILL.
        max_switch_wait_seconds: longest that a job may wait for few switches.
        enforce: what of accounting is enforced, in Slurm's words: `associations`, `limits`, `qos`.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    version: str | None = None
    topology: TopologyPlugin | None = None
    mpi_default: str | None = None
    max_array_size: int | None = None
    requeue: bool | None = None
    kill_wait_seconds: int | None = None
    max_switch_wait_seconds: int | None = None
    enforce: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKind:
    """Nodes of one shape in a partition.

    Attributes:
        count: how many of them.
        cpus: CPUs that jobs can get on each.
        threads_per_core: hardware threads of a core.
        memory_mib: memory that jobs can get on each, in MiB.
        gpus: GPUs of each.
        gpu_type: their type in Slurm.
        features: what `--constraint` can ask for.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    count: int
    cpus: int
    memory_mib: int
    threads_per_core: int = 1
    gpus: int = 0
    gpu_type: str | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilePartition:
    """A partition, as a job sees it.

    Attributes:
        name: its name.
        default: where jobs without `--partition` go.
        state: UP, DOWN, DRAIN or INACTIVE.
        max_time_minutes: longest job; absent: no limit.
        default_time_minutes: time of a job that says none; absent: the longest.
        min_nodes: fewest nodes of a job.
        max_nodes: most nodes of a job; absent: no limit.
        max_cpus_per_node: most CPUs of a job on a node; absent: no limit.
        max_memory_per_node_mib: most memory of a job on a node, in MiB; absent: no limit.
        exclusive: jobs get whole nodes.
        accounts: the only accounts that may use it; absent: any.
        denied_accounts: accounts that may not.
        qos: the only QOS that may use it; absent: any.
        denied_qos: QOS that may not.
        partition_qos: the QOS whose limits hold in it.
        grace_seconds: time that a preempted job has before it is killed; 0: none.
        nodes: its nodes, by shape.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    name: str
    default: bool = False
    state: str = "UP"
    max_time_minutes: int | None = None
    default_time_minutes: int | None = None
    min_nodes: int = 0
    max_nodes: int | None = None
    max_cpus_per_node: int | None = None
    max_memory_per_node_mib: int | None = None
    exclusive: bool = False
    accounts: tuple[str, ...] = ()
    denied_accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    denied_qos: tuple[str, ...] = ()
    partition_qos: str | None = None
    grace_seconds: int = 0
    nodes: tuple[NodeKind, ...] = ()

    @property
    def total_nodes(self) -> int:
        """How many nodes it has."""
        return sum(kind.count for kind in self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricFacts:
    """The fast network of the nodes.

    Attributes:
        kind: what it is.
        adapters: names of the network adapters on each node.
        network_gb_per_s: a GPU's share of the adapters, per direction, in GB/s.
        nvlink_gb_per_s: a GPU's NVLink, per direction, in GB/s.
        nvlink_domain_gpus: GPUs that reach each other over NVLink.
        leaf_nodes: nodes on the largest leaf switch, or in the largest block.
        sharp: switches can do reductions.
        topology_file: path of the topology file.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    kind: FabricKind | None = None
    adapters: tuple[str, ...] = ()
    network_gb_per_s: float | None = None
    nvlink_gb_per_s: float | None = None
    nvlink_domain_gpus: int | None = None
    leaf_nodes: int | None = None
    sharp: bool | None = None
    topology_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder that jobs see.

    Attributes:
        path: where.
        purpose: what it is for; `home`, `shared` and `scratch` are the same on every node.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    path: str
    purpose: MountPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a node costs.

    Attributes:
        partition: whose nodes.
        per_node_hour: amount for a node and hour.
        currency: ISO 4217 code.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    partition: str
    per_node_hour: float
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterProfile:
    """All of it.

    Attributes:
        cluster: ClusterName in Slurm.
        slurm: what slurm.conf says about jobs.
        partitions: the partitions.
        fabric: the fast network.
        containers: what can start containers, the preferred one first.
        modules: what jobs load, for `module load`.
        mounts: folders that jobs see.
        prices: what nodes cost.
        unknown: keys that nobody found out, each with what would.
    """

    __pydantic_config__: ClassVar[Any] = _FILE_FORM
    cluster: str
    slurm: SlurmSettings = SlurmSettings()
    partitions: tuple[ProfilePartition, ...] = ()
    fabric: FabricFacts = FabricFacts()
    containers: tuple[ContainerRuntime, ...] = ()
    modules: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    prices: tuple[Price, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    def knows(self, key: str) -> bool:
        """Return whether a key, or the part that it is in, is not listed as unknown."""
        parts = key.split(".")
        return not any(".".join(parts[:at]) in self.unknown for at in range(1, len(parts) + 1))
