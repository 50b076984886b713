"""A Slurm that lives in memory and behaves: tests, dry runs, the tutorial.

`MemorySlurm` is one user's client of a `MemoryCluster`, whose time passes only when `advance` is
called. States, refusals and classes of error are those of the real Slurm.
"""

from __future__ import annotations

from dataclasses import replace

from sunk.clients.slurm.memory_world import MemoryCluster
from sunk.clients.slurm.names import checked_name, checked_reason
from sunk.errors import Conflict, NotFound, Rejected, Unauthorized, Unreachable
from sunk.model.hostlist import expand, fold
from sunk.model.slurm import (
    DRAIN,
    TERMINAL_STATES,
    Account,
    AccountName,
    AdminLevel,
    Association,
    Job,
    JobId,
    JobState,
    JobSubmission,
    Listing,
    NodeName,
    NodeState,
    Partition,
    Ping,
    SlurmNode,
    SlurmUser,
    UserName,
)

__all__ = ["MemoryCluster", "MemorySlurm"]

SYSTEM = "slurmctld (in memory)"


class MemorySlurm:
    """Implements `SlurmClient` and `SlurmOperator` over a `MemoryCluster`."""

    def __init__(self, world: MemoryCluster, user: str = "root") -> None:
        self._world = world
        self._user = UserName(user)

    def ping(self) -> Ping:
        """Return release, cluster name and that slurmctld answers."""
        self._reach("ping slurmctld")
        return Ping(version="memory", cluster=self._world.cluster, controller_up=True)

    def nodes(self) -> tuple[SlurmNode, ...]:
        """Return every node, sorted by name."""
        self._reach("list nodes")
        with self._world.lock:
            return tuple(sorted(self._world.nodes.values(), key=lambda node: node.name))

    def nodes_since(self, as_of: int) -> Listing[SlurmNode] | None:
        """Return every node if any changed at or after `as_of`, else None."""
        nodes, changed = self.nodes(), self._world.changed(nodes=True)
        return Listing(items=nodes, as_of=changed) if changed >= as_of else None

    def node(self, name: NodeName) -> SlurmNode:
        """Return one node."""
        self._reach(f"read node {checked_name(name, 'node')}")
        with self._world.lock:
            if name not in self._world.nodes:
                raise NotFound(f"read node {name}: there is none of that name", system=SYSTEM)
            return self._world.nodes[name]

    def drain(self, name: NodeName, reason: str) -> None:
        """Set the drain flag."""
        node = self._administered(f"drain node {name}", name, reason)
        self._world.set_node(replace(node, flags=node.flags | {DRAIN}, reason=reason))

    def resume(self, name: NodeName) -> None:
        """Lift drain and down."""
        node = self._administered(f"resume node {name}", name)
        if not node.drain and node.state is not NodeState.DOWN:
            raise Rejected(f"resume node {name}: it is neither drained nor down", system=SYSTEM)
        state = NodeState.IDLE if node.state is NodeState.DOWN else node.state
        self._world.set_node(replace(node, flags=node.flags - {DRAIN}, reason="", state=state))

    def set_down(self, name: NodeName, reason: str) -> None:
        """Set the node DOWN at once."""
        node = self._administered(f"set node {name} down", name, reason)
        with self._world.lock:
            self._world.set_node(replace(node, state=NodeState.DOWN, reason=reason))
            self._world.fail_node_jobs(name)

    def delete_node(self, name: NodeName) -> None:
        """Delete a node's record."""
        self._administered(f"delete node {name}", name)
        with self._world.lock:
            for job in self._world.jobs.values():
                if job.state is JobState.RUNNING and name in expand(job.nodes):
                    raise Conflict(f"delete node {name}: it is busy", system=SYSTEM)
            self._world.drop_node(name)

    def partitions(self) -> tuple[Partition, ...]:
        """Return every partition, sorted by name."""
        names = [node.name for node in self.nodes()]
        return tuple(
            Partition(
                name=name, state="UP", nodes=fold(names), node_sets="ALL", total_nodes=len(names)
            )
            for name in sorted(self._world.partition_names)
        )

    def jobs(self) -> tuple[Job, ...]:
        """Return every job, sorted by id."""
        self._reach("list jobs")
        with self._world.lock:
            return tuple(job for _, job in sorted(self._world.jobs.items()))

    def jobs_since(self, as_of: int) -> Listing[Job] | None:
        """Return every job if any changed at or after `as_of`, else None."""
        jobs, changed = self.jobs(), self._world.changed(nodes=False)
        return Listing(items=jobs, as_of=changed) if changed >= as_of else None

    def job(self, job_id: JobId) -> Job:
        """Return one job."""
        self._reach(f"read job {job_id}")
        with self._world.lock:
            if job_id not in self._world.jobs:
                raise NotFound(f"read job {job_id}: there is none", system=SYSTEM)
            return self._world.jobs[job_id]

    def submit(self, submission: JobSubmission) -> JobId:
        """Submit a batch job as the client's user."""
        what = f"submit job {submission.name}"
        self._reach(what)
        world = self._world
        with world.lock:
            user = world.users.get(self._user)
            account = submission.account or (user.default_account if user else None) or ""
            wanted = Association(
                cluster=world.cluster, account=AccountName(account.lower()), user=self._user
            )
            if wanted not in world.associations:
                raise Rejected(f"{what}: no association with an account", system=SYSTEM)
            if submission.partition not in (None, *world.partition_names):
                raise Rejected(f"{what}: no partition {submission.partition}", system=SYSTEM)
            count = int((submission.nodes or "1").partition("-")[0])
            if count > len(world.nodes) or set(submission.required_nodes) - set(world.nodes):
                raise Rejected(f"{what}: nodes that the cluster does not have", system=SYSTEM)
            if not submission.script.startswith("#!") or not submission.environment:
                raise Rejected(f"{what}: no interpreter line or environment", system=SYSTEM)
            return world.add_job(submission, self._user, account)

    def cancel(self, job_id: JobId) -> None:
        """End a job."""
        job = self.job(job_id)
        if self._user not in (job.user, "root") and not self._is_admin():
            raise Unauthorized(f"cancel job {job_id}: it is of {job.user}", system=SYSTEM)
        with self._world.lock:
            if job.state not in TERMINAL_STATES:
                self._world.end_job(job, JobState.CANCELLED)

    def requeue(self, job_id: JobId) -> None:
        """Put a running or ended job back into the queue."""
        what = f"requeue job {job_id}"
        job = self.job(job_id)
        if self._user not in (job.user, "root") and not self._is_admin():
            raise Unauthorized(f"{what}: it is of {job.user}", system=SYSTEM)
        with self._world.lock:
            if job.state is JobState.PENDING:
                raise Rejected(f"{what}: it is waiting", system=SYSTEM)
            if not self._world.requeue_job(job):
                raise Rejected(f"{what}: it may not be requeued", system=SYSTEM)

    def reconfigure(self) -> None:
        """Do nothing: there is no configuration here."""
        self._require_admin("reconfigure slurmctld")

    def accounts(self) -> tuple[Account, ...]:
        """Return every account, sorted by name."""
        self._reach("list accounts")
        return tuple(account for _, account in sorted(self._world.accounts.items()))

    def users(self) -> tuple[SlurmUser, ...]:
        """Return every user, sorted by name."""
        self._reach("list users")
        return tuple(user for _, user in sorted(self._world.users.items()))

    def user(self, name: UserName) -> SlurmUser:
        """Return one user."""
        self._reach(f"read user {checked_name(name, 'user')}")
        if name not in self._world.users:
            raise NotFound(f"read user {name}: there is none of that name", system=SYSTEM)
        return self._world.users[name]

    def associations(self) -> tuple[Association, ...]:
        """Return every association, sorted."""
        self._reach("list associations")
        return tuple(sorted(self._world.associations))

    def put_account(self, account: Account) -> None:
        """Make an account and its association on this cluster exist."""
        self._require_admin(f"create account {checked_name(account.name, 'account')}")
        world = self._world
        name = AccountName(account.name.lower())
        with world.lock:
            world.accounts.setdefault(name, replace(account, name=name))
            own = Association(cluster=world.cluster, account=name, parent_account="root")
            world.associations.add(own)

    def put_user(self, user: SlurmUser) -> None:
        """Make a user exist with this default account and level."""
        what = f"create user {checked_name(user.name, 'user')}"
        self._require_admin(what)
        world = self._world
        with world.lock:
            if user.default_account is not None:
                account = self._existing_account(user.default_account, what)
                user = replace(user, default_account=account)
                world.associations.add(
                    Association(cluster=world.cluster, account=account, user=user.name)
                )
            elif user.name in world.users:
                user = replace(user, default_account=world.users[user.name].default_account)
            world.users[user.name] = user

    def put_association(self, association: Association) -> None:
        """Make a user's association exist, and the user too if need be."""
        checked_name(association.user, "user")
        what = f"associate user {association.user} with account {association.account}"
        self._require_admin(what)
        world = self._world
        with world.lock:
            account = self._existing_account(association.account, what)
            if association.cluster != world.cluster:
                raise Rejected(f"{what}: no cluster {association.cluster}", system=SYSTEM)
            name = UserName(association.user)
            user = world.users.get(name, SlurmUser(name=name))
            world.users[name] = replace(user, default_account=user.default_account or account)
            world.associations.add(replace(association, account=account, parent_account=""))

    def history(self, job_id: JobId) -> tuple[Job, ...]:
        """Return what slurmdbd knows about a job, oldest first."""
        self._reach(f"read job {job_id} from the accounting")
        with self._world.lock:
            runs = list(self._world.history.get(job_id, ()))
            live = self._world.jobs.get(job_id)
            if live is not None and live.state not in TERMINAL_STATES:
                runs.append(live)
        if not runs:
            raise NotFound(f"read job {job_id} from the accounting: none", system=SYSTEM)
        return tuple(runs)

    def _reach(self, what: str) -> None:
        if not self._world.reachable:
            raise Unreachable(f"{what}: the cluster in memory is set unreachable", system=SYSTEM)

    def _is_admin(self) -> bool:
        user = self._world.users.get(self._user)
        return user is not None and user.admin_level in (
            AdminLevel.OPERATOR,
            AdminLevel.ADMINISTRATOR,
        )

    def _require_admin(self, what: str) -> None:
        self._reach(what)
        if not self._is_admin():
            raise Unauthorized(f"{what}: {self._user} is no administrator", system=SYSTEM)

    def _administered(self, what: str, name: NodeName, reason: str | None = None) -> SlurmNode:
        checked_name(name, "node")
        if reason is not None:
            checked_reason(reason, what)
        self._require_admin(what)
        return self.node(name)

    def _existing_account(self, name: str, what: str) -> AccountName:
        account = AccountName(name.lower())
        if account not in self._world.accounts:
            raise Rejected(f"{what}: there is no account {name}", system=SYSTEM)
        return account
