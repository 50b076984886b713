"""Everything a planner may want done, as data: printable, comparable, closed.

Whoever applies actions matches on the union and ends in `assert_never`, so that the type checker
names the missing case when an action is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sunk.model.slurm import Account, Association, NodeName, SlurmUser


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAccount:
    """Make an account and its association on the cluster."""

    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUser:
    """Make a user together with the association to the default account."""

    user: SlurmUser


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAssociation:
    """Give an existing user an account."""

    association: Association


AccountsAction: TypeAlias = CreateAccount | CreateUser | CreateAssociation


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePod:
    """Make the Pod of a worker.

    Attributes:
        machine: Kubernetes Node that it must run on; None for any.
    """

    node: NodeName
    node_set: str
    machine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteMachine:
    """Write on a worker's Pod which Kubernetes Node it was bound to, by the Node's UID.

    Attributes:
        uid: the Pod's; if the name is another's now, nothing is written.
    """

    node: NodeName
    uid: str
    machine_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePod:
    """Delete a worker's Pod, if it is still the one with this UID.

    Attributes:
        unknown_to_slurm: it goes because Slurm's list of nodes has it not: Slurm is asked for this
            very node first, so that a list that is wrong takes no worker along.
    """

    node: NodeName
    uid: str
    unknown_to_slurm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Let a Slurm node take no more jobs; those on it run on."""

    node: NodeName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Lift a drain of ours, if the node still has this reason."""

    node: NodeName
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDown:
    """Say that a Slurm node is gone, so that its jobs are requeued at once.

    Attributes:
        pod_uid: UID of the Pod that registered the record; if it is another's now, it stays.
    """

    node: NodeName
    pod_uid: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRecord:
    """Remove a Slurm node's record; slurmctld refuses while a job is there.

    Attributes:
        pod_uid: UID of the Pod that registered the record; if it is another's now, it stays.
    """

    node: NodeName
    pod_uid: str


DisruptiveAction: TypeAlias = DeletePod | Drain | Resume | TakeDown | DeleteRecord
WorkersAction: TypeAlias = CreatePod | NoteMachine | DisruptiveAction
