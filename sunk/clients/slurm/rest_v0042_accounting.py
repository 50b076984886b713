"""The wire of data_parser v0.0.42: slurmdbd's structs, to the model.

The rules of `sunk.clients.slurm.rest_v0042` hold here too.
"""

from __future__ import annotations

import msgspec

from sunk.clients.slurm.rest_v0042 import ExitCode, Number, split, time_or_none
from sunk.model import slurm as model
from sunk.model.slurm import JobId


class _Array(msgspec.Struct):
    job_id: int
    task_id: Number


class _Time(msgspec.Struct):
    start: int
    end: int
    submission: int


class _State(msgspec.Struct):
    current: list[str]
    reason: str


class _Required(msgspec.Struct):
    CPUs: int


class HistoryJob(msgspec.Struct):
    """``job`` of slurmdbd: the same noun in other words."""

    job_id: int
    array: _Array
    name: str
    user: str
    account: str
    partition: str
    state: _State
    nodes: str
    exit_code: ExitCode
    time: _Time
    restart_cnt: int
    stdout_expanded: str
    working_directory: str
    allocation_nodes: int
    required: _Required

    def to_model(self) -> model.Job:
        """Return the job record."""
        state, flags = split(self.state.current, model.JobState, model.JobState.UNKNOWN)
        over = state in model.TERMINAL_STATES
        return model.Job(
            job_id=JobId(self.job_id),
            array_job_id=JobId(self.array.job_id) or None,
            array_task_id=self.array.task_id.value(),
            name=self.name,
            user=self.user,
            account=self.account,
            partition=self.partition,
            state=state,
            flags=flags,
            reason="" if self.state.reason == "None" else self.state.reason,
            nodes="" if self.nodes == "None assigned" else self.nodes,
            exit_code=self.exit_code.return_code.value() if over else None,
            exit_signal=self.exit_code.signal.id.value() if over else None,
            submit_time=time_or_none(self.time.submission),
            start_time=time_or_none(self.time.start),
            end_time=time_or_none(self.time.end) if over else None,
            restart_count=self.restart_cnt,
            stdout_path=self.stdout_expanded,
            working_directory=self.working_directory,
            node_count=self.allocation_nodes,
            cpus=self.required.CPUs,
        )


class Account(msgspec.Struct):
    """``account`` of slurmdbd."""

    name: str
    description: str
    organization: str

    def to_model(self) -> model.Account:
        """Return the account."""
        return model.Account(
            name=model.AccountName(self.name),
            description=self.description,
            organization=self.organization,
        )


class _Default(msgspec.Struct):
    account: str


class User(msgspec.Struct):
    """``user`` of slurmdbd; its default account is only filled in with its associations."""

    name: str
    default: _Default
    administrator_level: list[str]

    def to_model(self) -> model.SlurmUser:
        """Return the user."""
        level, _ = split(self.administrator_level, model.AdminLevel, model.AdminLevel.NOT_SET)
        return model.SlurmUser(
            name=model.UserName(self.name),
            default_account=model.AccountName(self.default.account) or None,
            admin_level=level,
        )


class Association(msgspec.Struct):
    """``assoc`` of slurmdbd."""

    account: str
    cluster: str
    partition: str
    user: str
    parent_account: str

    def to_model(self) -> model.Association:
        """Return the association."""
        return model.Association(
            cluster=model.ClusterName(self.cluster),
            account=model.AccountName(self.account),
            user=self.user,
            partition=self.partition,
            parent_account=self.parent_account,
        )


class HistoryReply(msgspec.Struct):
    """Answer to ``GET job`` of slurmdbd."""

    jobs: list[HistoryJob]


class AccountsReply(msgspec.Struct):
    """Answer to ``GET accounts``."""

    accounts: list[Account]


class UsersReply(msgspec.Struct):
    """Answer to ``GET users`` and ``GET user``."""

    users: list[User]


class AssociationsReply(msgspec.Struct):
    """Answer to ``GET associations``."""

    associations: list[Association]
