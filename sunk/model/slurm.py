"""Slurm's nouns as slurmctld and slurmdbd report them: nodes, jobs, partitions, accounting.

Spellings of states and flags are Slurm's own. Words that this code does not know are kept: a
flag as its text, a base state as UNKNOWN. Times are seconds since the epoch (UTC), None when
Slurm has none. Not to be confused with `sunk.model.cluster`, which says what people want.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NewType, TypeVar

NodeName = NewType("NodeName", str)
JobId = NewType("JobId", int)
PartitionName = NewType("PartitionName", str)
AccountName = NewType("AccountName", str)
"""Name of an account; Slurm compares without regard to case and we write lower case."""
UserName = NewType("UserName", str)
ClusterName = NewType("ClusterName", str)

DRAIN = "DRAIN"
"""Node flag: takes no new jobs."""
UNDRAIN = "UNDRAIN"
"""Node flag: the drain is about to be lifted."""
COMPLETING = "COMPLETING"
"""Node and job flag: processes of an ended job are still being cleaned up."""
NOT_RESPONDING = "NOT_RESPONDING"
"""Node flag: slurmd does not answer; also set for a moment after every resume."""


class NodeState(StrEnum):
    """Base state of a node; exactly one, flags come on top."""

    UNKNOWN = "UNKNOWN"
    DOWN = "DOWN"
    IDLE = "IDLE"
    ALLOCATED = "ALLOCATED"
    ERROR = "ERROR"
    MIXED = "MIXED"
    FUTURE = "FUTURE"


class JobState(StrEnum):
    """Base state of a job; exactly one, flags come on top."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"
    BOOT_FAIL = "BOOT_FAIL"
    DEADLINE = "DEADLINE"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"


TERMINAL_STATES = frozenset(
    {
        JobState.COMPLETED,
        JobState.CANCELLED,
        JobState.FAILED,
        JobState.TIMEOUT,
        JobState.NODE_FAIL,
        JobState.PREEMPTED,
        JobState.BOOT_FAIL,
        JobState.DEADLINE,
        JobState.OUT_OF_MEMORY,
    }
)
"""States that a job only leaves by being requeued."""


class AdminLevel(StrEnum):
    """What a user may change in the accounting database."""

    NOT_SET = "Not Set"
    NONE = "None"
    OPERATOR = "Operator"
    ADMINISTRATOR = "Administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmNode:
    """A node record of slurmctld.

    Attributes:
        name: NodeName.
        state: base state.
        flags: state flags in Slurm's spelling (DRAIN, COMPLETING, DYNAMIC_NORM, …).
        reason: free text with a drain or down state; empty when there is none.
        cpus: CPUs that jobs can get.
        real_memory_mib: RealMemory.
        alloc_cpus: CPUs given to jobs; lags behind `state` by some seconds.
        features: available features, sorted.
        gres: generic resources, for example ``gpu:h200:8``.
        partitions: the partitions it is in, sorted.
        address: NodeAddr.
        boot_time: when the host started.
        registered_time: when its slurmd started.
        comment: free text.
        extra: free text of site tools.
    """

    name: NodeName
    state: NodeState
    flags: frozenset[str] = frozenset()
    reason: str = ""
    cpus: int = 0
    real_memory_mib: int = 0
    alloc_cpus: int = 0
    features: tuple[str, ...] = ()
    gres: str = ""
    partitions: tuple[PartitionName, ...] = ()
    address: str = ""
    boot_time: int | None = None
    registered_time: int | None = None
    comment: str = ""
    extra: str = ""

    @property
    def drain(self) -> bool:
        """Whether the drain flag is set (drained or still draining)."""
        return DRAIN in self.flags

    @property
    def drained(self) -> bool | None:
        """Whether it is drained: takes no jobs and has none left; None when that is unknown.

        `alloc_cpus` alone would not do: it is still zero seconds after a job started.
        """
        if self.state is NodeState.UNKNOWN:
            return None
        if not self.drain or UNDRAIN in self.flags:
            return False
        busy = self.state in (NodeState.ALLOCATED, NodeState.MIXED) or self.alloc_cpus > 0
        return not busy and COMPLETING not in self.flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job record of slurmctld or slurmdbd.

    Attributes:
        job_id: its number.
        array_job_id: number of the array that it belongs to, None outside arrays.
        array_task_id: index in the array; None for the record of the tasks not yet started.
        state: base state.
        flags: state flags in Slurm's spelling (COMPLETING, REQUEUED, …).
        reason: why it waits or ended; empty when Slurm says ``None``.
        nodes: hostlist of its nodes; empty before it starts.
        exit_code: exit status of the batch script; None when a signal ended it or it did not end.
        exit_signal: number of that signal.
        submit_time: when it was submitted, or requeued last.
        start_time: when it started; None before (Slurm's estimate is not kept).
        end_time: when it ended; None before.
        planned_end: when a running job reaches its time limit, a year after its start where it has
            none; None before and after.
        restart_count: how often it was requeued.
        stdout_path: where its output goes, as Slurm expanded it.
        working_directory: where it runs.
        node_count: nodes asked for or given.
        cpus: CPUs asked for or given.
        tasks: tasks asked for; 0 when Slurm does not say.
    """

    job_id: JobId
    state: JobState
    array_job_id: JobId | None = None
    array_task_id: int | None = None
    name: str = ""
    user: str = ""
    account: str = ""
    partition: str = ""
    flags: frozenset[str] = frozenset()
    reason: str = ""
    nodes: str = ""
    exit_code: int | None = None
    exit_signal: int | None = None
    submit_time: int | None = None
    start_time: int | None = None
    end_time: int | None = None
    planned_end: int | None = None
    restart_count: int = 0
    stdout_path: str = ""
    working_directory: str = ""
    node_count: int = 0
    cpus: int = 0
    tasks: int = 0

    @property
    def ended(self) -> bool:
        """Whether it is over and cleaned up; a requeued job can still start again."""
        return self.state in TERMINAL_STATES and COMPLETING not in self.flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition record of slurmctld.

    Attributes:
        state: UP, DOWN, DRAIN or INACTIVE; other words are kept.
        nodes: hostlist of its nodes.
        node_sets: names in its Nodes= setting, as written.
        total_nodes: how many nodes it has.
        max_time_minutes: longest job; None without a limit.
    """

    name: PartitionName
    state: str
    nodes: str = ""
    node_sets: str = ""
    total_nodes: int = 0
    max_time_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A bank account of slurmdbd."""

    name: AccountName
    description: str = ""
    organization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmUser:
    """A user of slurmdbd.

    Attributes:
        default_account: where jobs without ``--account`` go; None when not set (no association).
    """

    name: UserName
    default_account: AccountName | None = None
    admin_level: AdminLevel = AdminLevel.NONE


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Association:
    """The right of a user to charge an account on a cluster; with limits, which are not read here.

    Attributes:
        user: empty for the account's own record.
        partition: empty for all partitions.
        parent_account: of an account's own record; empty otherwise.
    """

    cluster: ClusterName
    account: AccountName
    user: str = ""
    partition: str = ""
    parent_account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedAccounts:
    """What slurmdbd has, read together.

    Attributes:
        complete: every list was read without an error; a planner must not conclude anything
            from what is missing in an incomplete one.
    """

    cluster: ClusterName
    accounts: tuple[Account, ...] = ()
    users: tuple[SlurmUser, ...] = ()
    associations: tuple[Association, ...] = ()
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmission:
    """What to submit; None leaves the choice to Slurm.

    Attributes:
        script: the batch script. Its #SBATCH lines have no effect over REST: say it here.
        working_directory: absolute; Slurm refuses a job without one.
        environment: variables of the job; Slurm refuses an empty one.
        nodes: node count, ``2`` or ``2-4``.
        required_nodes: names that must be among the nodes.
        memory_per_node_mib: 0 asks for all of a node's memory.
        features: constraint expression.
        gres_per_node: for example ``gres/gpu:8``.
        array: indices, ``0-9%2``.
        hold: wait until released.
        requeue: start again after a node failure; Slurm's JobRequeue when None.
        stdout_path: pattern of the output file.
    """

    script: str
    name: str
    working_directory: str
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    reservation: str | None = None
    nodes: str | None = None
    required_nodes: tuple[str, ...] = ()
    tasks: int | None = None
    tasks_per_node: int | None = None
    cpus_per_task: int | None = None
    memory_per_node_mib: int | None = None
    time_limit_minutes: int | None = None
    features: str | None = None
    gres_per_node: str | None = None
    array: str | None = None
    dependency: str | None = None
    hold: bool = False
    requeue: bool | None = None
    stdout_path: str | None = None
    stderr_path: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEstimate:
    """When and where Slurm would start a job, as its plan is now.

    Attributes:
        at: date and time in the zone of the machine that asked, as ``2026-01-02T03:04:05``.
        processors: CPUs that it would get.
        nodes: hostlist.
        partition: the one it would run in.
    """

    at: str
    processors: int
    nodes: str
    partition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Who answers.

    Attributes:
        version: Slurm release of the REST server, ``24.11.5``.
        cluster: ClusterName.
        controller_up: whether a slurmctld answers.
    """

    version: str
    cluster: ClusterName
    controller_up: bool


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[Item]):
    """A complete list and its time stamp, to be given back to ask for changes only.

    Attributes:
        as_of: Slurm's own time of the last change, seconds since the epoch.
    """

    items: tuple[Item, ...]
    as_of: int
