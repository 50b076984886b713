"""The wire of data_parser v0.0.42 (Slurm 24.11 and later): slurmctld's structs, to the model.

Only fields that we read are declared; msgspec skips the rest. A field that is there but of
another form makes decoding fail with its place, which the transport turns into `UnexpectedReply`;
turning a decoded struct into the model never fails. A number is absent in three ways: ``set``
false, ``infinite`` true, or (from slurmdbd) one of Slurm's NO_VAL values.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from sunk.model import slurm as model
from sunk.model.slurm import JobId, NodeName, PartitionName

VERSION = "0.0.42"

State = TypeVar("State", bound=StrEnum)

NO_VALUES = frozenset({2**16 - 2, 2**16 - 1, 2**32 - 2, 2**32 - 1, 2**64 - 2, 2**64 - 1})
"""NO_VAL16, INFINITE16, NO_VAL, INFINITE, NO_VAL64, INFINITE64 of slurm.h."""


class Number(msgspec.Struct):
    """Slurm's triple: a number, infinity, or nothing."""

    set: bool = False
    infinite: bool = False
    number: int = 0

    def value(self) -> int | None:
        """Return the number; None when not set or infinite."""
        return self.number if self.set and not self.infinite else None

    def time(self) -> int | None:
        """Return seconds since the epoch; Slurm writes 0 for "never"."""
        return time_or_none(self.value())


class Signal(msgspec.Struct):
    """Which signal ended a process."""

    id: Number


class ExitCode(msgspec.Struct):
    """How a process ended."""

    return_code: Number
    signal: Signal


class Node(msgspec.Struct):
    """``node`` of slurmctld."""

    name: str
    state: list[str]
    reason: str
    cpus: int
    real_memory: int
    alloc_cpus: int
    features: list[str]
    gres: str
    partitions: list[str]
    address: str
    boot_time: Number
    slurmd_start_time: Number
    comment: str
    extra: str

    def to_model(self) -> model.SlurmNode:
        """Return the node record."""
        state, flags = split(self.state, model.NodeState, model.NodeState.UNKNOWN)
        return model.SlurmNode(
            name=NodeName(self.name),
            state=state,
            flags=flags,
            reason=self.reason,
            cpus=self.cpus,
            real_memory_mib=self.real_memory,
            alloc_cpus=self.alloc_cpus,
            features=tuple(sorted(filter(None, self.features))),
            gres=self.gres,
            partitions=tuple(PartitionName(name) for name in sorted(self.partitions)),
            address=self.address,
            boot_time=self.boot_time.time(),
            registered_time=self.slurmd_start_time.time(),
            comment=self.comment,
            extra=self.extra,
        )


class Job(msgspec.Struct):
    """``job_info`` of slurmctld."""

    job_id: int
    array_job_id: Number
    array_task_id: Number
    name: str
    user_name: str
    account: str
    partition: str
    job_state: list[str]
    state_reason: str
    nodes: str
    exit_code: ExitCode
    submit_time: Number
    start_time: Number
    end_time: Number
    restart_cnt: int
    standard_output: str
    current_working_directory: str
    node_count: Number
    cpus: Number
    tasks: Number

    def to_model(self) -> model.Job:
        """Return the job record."""
        state, flags = split(self.job_state, model.JobState, model.JobState.UNKNOWN)
        over = state in model.TERMINAL_STATES
        going = state in (model.JobState.RUNNING, model.JobState.SUSPENDED)
        return model.Job(
            job_id=JobId(self.job_id),
            array_job_id=JobId(self.array_job_id.value() or 0) or None,
            array_task_id=self.array_task_id.value(),
            name=self.name,
            user=self.user_name,
            account=self.account,
            partition=self.partition,
            state=state,
            flags=flags,
            reason="" if self.state_reason == "None" else self.state_reason,
            nodes=self.nodes,
            exit_code=self.exit_code.return_code.value() if over else None,
            exit_signal=self.exit_code.signal.id.value() if over else None,
            submit_time=self.submit_time.time(),
            # Slurm fills these with its plans while the job has not started or not ended.
            start_time=self.start_time.time() if over or going else None,
            end_time=self.end_time.time() if over else None,
            planned_end=self.end_time.time() if going else None,
            restart_count=self.restart_cnt,
            stdout_path=self.standard_output,
            working_directory=self.current_working_directory,
            node_count=self.node_count.value() or 0,
            cpus=self.cpus.value() or 0,
            tasks=self.tasks.value() or 0,
        )


class _PartitionNodes(msgspec.Struct):
    configured: str
    total: int


class _PartitionState(msgspec.Struct):
    state: list[str]


class _Maximums(msgspec.Struct):
    time: Number


class Partition(msgspec.Struct):
    """``partition_info`` of slurmctld."""

    name: str
    nodes: _PartitionNodes
    node_sets: str
    partition: _PartitionState
    maximums: _Maximums

    def to_model(self) -> model.Partition:
        """Return the partition record."""
        return model.Partition(
            name=PartitionName(self.name),
            state=",".join(self.partition.state),
            nodes=self.nodes.configured,
            node_sets=self.node_sets,
            total_nodes=self.nodes.total,
            max_time_minutes=self.maximums.time.value(),
        )


class NodesReply(msgspec.Struct):
    """Answer to ``GET nodes`` and ``GET node``."""

    nodes: list[Node]
    last_update: Number


class JobsReply(msgspec.Struct):
    """Answer to ``GET jobs`` and ``GET job`` of slurmctld."""

    jobs: list[Job]
    last_update: Number
    warnings: list[dict[str, Any]]


class PartitionsReply(msgspec.Struct):
    """Answer to ``GET partitions``."""

    partitions: list[Partition]


class _KillError(msgspec.Struct):
    code: int
    string: str = ""


class KillStatus(msgspec.Struct):
    """What happened to one job; the list of these names failures that HTTP 200 hides."""

    error: _KillError


class KillReply(msgspec.Struct):
    """Answer to ``DELETE job``."""

    status: list[KillStatus]


class SubmitReply(msgspec.Struct):
    """Answer to ``POST job/submit``."""

    job_id: int


class _PingEntry(msgspec.Struct):
    pinged: str


class _Release(msgspec.Struct):
    release: str
    cluster: str


class _Meta(msgspec.Struct):
    slurm: _Release


class PingReply(msgspec.Struct):
    """Answer to ``GET ping``."""

    pings: list[_PingEntry]
    meta: _Meta


class Written(msgspec.Struct):
    """Answer to a change: nothing but its envelope."""


def submission_body(job: model.JobSubmission) -> dict[str, Any]:
    """Return the body of ``POST job/submit``."""
    fields: dict[str, Any] = {
        "name": job.name,
        "current_working_directory": job.working_directory,
        "environment": [f"{key}={value}" for key, value in sorted(job.environment.items())],
        "partition": job.partition,
        "account": job.account,
        "qos": job.qos,
        "reservation": job.reservation,
        "nodes": job.nodes,
        "required_nodes": list(job.required_nodes) or None,
        "tasks": job.tasks,
        "tasks_per_node": job.tasks_per_node,
        "cpus_per_task": job.cpus_per_task,
        "memory_per_node": _number(job.memory_per_node_mib),
        "time_limit": _number(job.time_limit_minutes),
        "constraints": job.features,
        "tres_per_node": job.gres_per_node,
        "array": job.array,
        "dependency": job.dependency,
        "hold": True if job.hold else None,
        "requeue": job.requeue,
        "standard_output": job.stdout_path,
        "standard_error": job.stderr_path,
        "comment": job.comment,
    }
    chosen = {key: value for key, value in fields.items() if value is not None}
    return {"script": job.script, "job": chosen}


def _number(value: int | None) -> dict[str, Any] | None:
    return None if value is None else {"set": True, "infinite": False, "number": value}


def time_or_none(value: int | None) -> int | None:
    """Return seconds since the epoch; None for 0 ("never") and for the NO_VAL values."""
    return None if not value or value in NO_VALUES else value


def split(words: list[str], kind: type[State], unknown: State) -> tuple[State, frozenset[str]]:
    """Split Slurm's list of state words into the base state and the flags.

    Without exactly one word that is a base state we know, the state is unknown.
    """
    known = {member.value for member in kind}
    bases = [word for word in words if word in known]
    base = kind(bases[0]) if len(bases) == 1 else unknown
    return base, frozenset(word for word in words if word not in known)
