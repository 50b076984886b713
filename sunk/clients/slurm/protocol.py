"""What anyone may ask of Slurm, in model types: plain verbs, none of which decides anything.

Every implementation passes the suite in ``tests/contract``. All of them raise `RemoteError`s with
the same meaning:

- `NotFound`: no such node, job, user or account; of nodes and jobs never taken from an empty list.
- `Rejected`: Slurm refuses the request as it is (no association, nodes that nobody has, …).
- `Conflict`: refused at the moment (a busy node cannot be deleted); later it may work.
- `Unauthorized`: the token is bad or expired, or its user may not do this.
- `Unreachable`: slurmrestd, slurmctld or slurmdbd does not answer, or no sack socket is there.
- `UnexpectedReply`: an answer that does not follow its own format.

`InputError` is raised for names that cannot be names, before anything is sent.
"""

from __future__ import annotations

from typing import Protocol

from sunk.model.slurm import (
    Account,
    Association,
    Job,
    JobId,
    JobSubmission,
    Listing,
    NodeName,
    Partition,
    Ping,
    SlurmNode,
    SlurmUser,
    UserName,
)


class SlurmClient(Protocol):
    """Slurm, as one user sees it; safe to share between threads."""

    def ping(self) -> Ping:
        """Return release, cluster name and whether slurmctld answers."""

    def nodes(self) -> tuple[SlurmNode, ...]:
        """Return every node, sorted by name."""

    def nodes_since(self, as_of: int) -> Listing[SlurmNode] | None:
        """Return every node if any changed at or after `as_of`, else None; 0 always lists."""

    def node(self, name: NodeName) -> SlurmNode:
        """Return one node; NotFound when there is none of that name."""

    def drain(self, name: NodeName, reason: str) -> None:
        """Set the drain flag; also on a drained node, whose reason it replaces."""

    def resume(self, name: NodeName) -> None:
        """Lift drain and down; Rejected when the node is neither."""

    def set_down(self, name: NodeName, reason: str) -> None:
        """Set the node DOWN at once: its jobs end as NODE_FAIL and are requeued if they may be."""

    def delete_node(self, name: NodeName) -> None:
        """Delete a dynamic node's record; Conflict while a job is there."""

    def partitions(self) -> tuple[Partition, ...]:
        """Return every partition, sorted by name."""

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs that slurmctld remembers, sorted by id; ended ones for some minutes."""

    def jobs_since(self, as_of: int) -> Listing[Job] | None:
        """Return every job if any changed at or after `as_of`, else None; 0 always lists."""

    def job(self, job_id: JobId) -> Job:
        """Return a job that slurmctld remembers; of an array's number, the tasks' own record."""

    def submit(self, submission: JobSubmission) -> JobId:
        """Submit a batch job as the client's user and return its number."""

    def cancel(self, job_id: JobId) -> None:
        """End a job; one that already ended is left as it is, without an error."""

    def accounts(self) -> tuple[Account, ...]:
        """Return every account of slurmdbd, sorted by name."""

    def users(self) -> tuple[SlurmUser, ...]:
        """Return every user of slurmdbd, sorted by name."""

    def user(self, name: UserName) -> SlurmUser:
        """Return one user of slurmdbd; NotFound when there is none of that name."""

    def associations(self) -> tuple[Association, ...]:
        """Return every association of slurmdbd, sorted."""

    def put_account(self, account: Account) -> None:
        """Make an account and its association on this cluster exist, under the root account."""

    def put_user(self, user: SlurmUser) -> None:
        """Make a user exist with this default account (which brings the association) and level.

        Rejected when the default account does not exist.
        """

    def put_association(self, association: Association) -> None:
        """Make a user's association exist, and the user too if need be, like ``sacctmgr add user``.

        Rejected when account or cluster does not exist.
        """

    def history(self, job_id: JobId) -> tuple[Job, ...]:
        """Return what slurmdbd knows about a job: one record per run or array task, oldest first.

        NotFound when there is none (slurmdbd lags behind slurmctld, so it may appear later).
        """


class SlurmOperator(Protocol):
    """What an operator does beside it, and slurmrestd of Slurm 24.11 cannot or does by a GET.

    A protocol of its own, so that a client without these verbs need not pretend: who needs one
    asks for a `SlurmOperator`. `cli` and `memory` are both.
    """

    def requeue(self, job_id: JobId) -> None:
        """Put a running or ended job back into the queue; its processes are ended.

        Rejected when it waits already or was submitted as one that may not be requeued.
        """

    def reconfigure(self) -> None:
        """Make slurmctld and every slurmd read slurm.conf again."""
