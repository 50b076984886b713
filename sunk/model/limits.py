"""What a job asks for, and what a cluster allows: the nouns of the check before submitting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sunk.model.profile import ClusterProfile

UNLIMITED_MINUTES = 2**32 - 1
"""``--time=UNLIMITED``, as Slurm counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a job asks for; None where it says nothing.

    Attributes:
        user: who submits.
        partition: ``--partition``.
        account: ``--account``.
        qos: ``--qos``.
        nodes: ``--nodes``.
        tasks_per_node: ``--ntasks-per-node``.
        cpus_per_task: ``--cpus-per-task``.
        memory_per_node_mib: ``--mem`` in MiB; 0 asks for all of a node's.
        gpus_per_node: ``--gpus-per-node`` or ``--gres=gpu:N``.
        gpu_type: its type, ``gpu:TYPE:N``.
        time_minutes: ``--time``.
        features: what ``--constraint`` asks for, all of them.
        segment_nodes: ``--segment``.
        array_last: the largest index of ``--array``.
        array_tasks: how many tasks the array has.
    """

    user: str
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int = 1
    memory_per_node_mib: int | None = None
    gpus_per_node: int = 0
    gpu_type: str | None = None
    time_minutes: int | None = None
    features: frozenset[str] = frozenset()
    segment_nodes: int | None = None
    array_last: int | None = None
    array_tasks: int = 1

    @property
    def cpus_per_node(self) -> int:
        """CPUs on each node."""
        return self.tasks_per_node * self.cpus_per_task

    @property
    def tres(self) -> dict[str, int]:
        """What the whole job counts as at least; memory in MiB."""
        found = {"cpu": self.nodes * self.cpus_per_node, "node": self.nodes}
        if self.memory_per_node_mib:
            found["mem"] = self.nodes * self.memory_per_node_mib
        if self.gpus_per_node:
            found["gres/gpu"] = self.nodes * self.gpus_per_node
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a QOS or an association; None and absent: no limit.

    Attributes:
        max_minutes: longest job.
        max_tres: most of one job; memory in MiB.
        min_tres: least of one job.
        group_tres: most of all running jobs together.
        max_submit: most jobs of a user in the queue, array tasks counted each.
    """

    max_minutes: int | None = None
    max_tres: Mapping[str, int] = field(default_factory=dict)
    min_tres: Mapping[str, int] = field(default_factory=dict)
    group_tres: Mapping[str, int] = field(default_factory=dict)
    max_submit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """A quality of service.

    Attributes:
        name: its name.
        limits: its limits.
        flags: in Slurm's words: `OverPartQOS`, `PartitionTimeLimit`, `PartitionMaxNodes`, …
    """

    name: str
    limits: Limits = Limits()
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationLimits:
    """The right of a user or account, with its limits.

    Attributes:
        account: the account.
        user: empty for the account's own.
        partition: empty for all partitions.
        parent: of an account's own record: the account above it.
        qos: what jobs may ask for; empty: nothing but the default.
        default_qos: what jobs get that ask for none.
        limits: its limits, with what it inherits; group limits of the accounts above hold as
            well.
    """

    account: str
    user: str = ""
    partition: str = ""
    parent: str = ""
    qos: tuple[str, ...] = ()
    default_qos: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """What a cluster allows, read once; None: not known.

    Attributes:
        profile: partitions, shapes of their nodes, settings.
        qos: every QOS.
        associations: every association of the cluster.
        blocks: nodes in each block of topology/block; empty with other topologies.
        default_accounts: users' default accounts.
    """

    profile: ClusterProfile
    qos: tuple[Qos, ...] | None = None
    associations: tuple[AssociationLimits, ...] | None = None
    blocks: tuple[int, ...] | None = None
    default_accounts: Mapping[str, str] | None = None
