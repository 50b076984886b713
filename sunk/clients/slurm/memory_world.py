"""The world behind `sunk.clients.slurm.memory`: nodes, jobs, accounting and a clock of its own.

Scheduling is first come, first served over whole CPUs; what matters is that states, refusals and
the order of events are those of the real Slurm, which the contract suite checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import RLock

from sunk.model.hostlist import expand, fold
from sunk.model.slurm import (
    Account,
    AccountName,
    AdminLevel,
    Association,
    ClusterName,
    Job,
    JobId,
    JobState,
    JobSubmission,
    NodeName,
    NodeState,
    PartitionName,
    SlurmNode,
    SlurmUser,
    UserName,
)

REQUEUE_SECONDS = 6
"""How long a requeued job waits before it may start again: cred_expire=5 and one."""
_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(slots=True)
class _Running:
    """What the world knows beside the job's record."""

    submission: JobSubmission
    wanted_nodes: int
    wanted_cpus: int
    eligible_time: int
    seconds: int

    @property
    def limit_seconds(self) -> int:
        """Its time limit; slurmctld plans a year for a job without one."""
        minutes = self.submission.time_limit_minutes
        return _YEAR_SECONDS if minutes is None else minutes * 60


class MemoryCluster:
    """The world: nodes, jobs, accounting, a clock.

    Args:
        nodes: the nodes it starts with; all are in every partition.
        partitions: names; the first is the default.
        job_seconds: how long a job runs, by the job's name; one second when not named.
        now_seconds: its clock, seconds since the epoch.
    """

    def __init__(
        self,
        *,
        nodes: Iterable[SlurmNode] = (),
        partitions: tuple[str, ...] = ("main",),
        job_seconds: Mapping[str, int] | None = None,
        cluster: str = "lab",
        now_seconds: int = 1_700_000_000,
    ) -> None:
        self.lock = RLock()
        self.cluster = ClusterName(cluster)
        self.now = now_seconds
        self.reachable = True
        """Set to False: every call raises Unreachable."""
        self.nodes = {node.name: node for node in nodes}
        self.partition_names = tuple(PartitionName(name) for name in partitions)
        self.jobs: dict[JobId, Job] = {}
        self.history: dict[JobId, list[Job]] = {}
        root = AccountName("root")
        self.accounts = {root: Account(name=root, description="default root account")}
        self.users = {
            UserName("root"): SlurmUser(
                name=UserName("root"), default_account=root, admin_level=AdminLevel.ADMINISTRATOR
            )
        }
        self.associations = {
            Association(cluster=self.cluster, account=root),
            Association(cluster=self.cluster, account=root, user="root"),
        }
        self._job_seconds = dict(job_seconds or {})
        self._running: dict[JobId, _Running] = {}
        self._next_job = 1
        self._nodes_changed = self._jobs_changed = now_seconds

    def add_node(self, node: SlurmNode) -> None:
        """Let a node register itself, as a dynamic slurmd does."""
        with self.lock:
            self.set_node(node)

    def advance(self, seconds: int = 1) -> None:
        """Let time pass: jobs end, requeued ones become eligible, pending ones start."""
        with self.lock:
            for _ in range(seconds):
                self.now += 1
                for job_id in sorted(self.jobs):
                    job = self.jobs[job_id]
                    start = job.start_time or 0
                    over = self.now - start >= self._running[job_id].seconds
                    if job.state is JobState.RUNNING and over:
                        self.end_job(job, JobState.COMPLETED, exit_code=0)
                self._start_jobs()

    def set_node(self, node: SlurmNode) -> None:
        """Replace a node's record."""
        self.nodes[node.name] = node
        self._nodes_changed = self.now

    def set_job(self, job: Job) -> None:
        """Replace a job's record."""
        self.jobs[job.job_id] = job
        self._jobs_changed = self.now

    def drop_node(self, name: NodeName) -> None:
        """Forget a node."""
        del self.nodes[name]
        self._nodes_changed = self.now

    def changed(self, *, nodes: bool) -> int:
        """Return when nodes (or jobs) changed last, seconds since the epoch."""
        return self._nodes_changed if nodes else self._jobs_changed

    def add_job(self, submission: JobSubmission, user: UserName, account: str) -> JobId:
        """Queue a job that was checked already."""
        job_id = JobId(self._next_job)
        self._next_job += 1
        wanted = int((submission.nodes or "1").partition("-")[0])
        cpus = max(wanted, (submission.tasks or 1) * (submission.cpus_per_task or 1))
        self._running[job_id] = _Running(
            submission=submission,
            wanted_nodes=wanted,
            wanted_cpus=cpus,
            eligible_time=self.now,
            seconds=self._job_seconds.get(submission.name, 1),
        )
        default_path = f"{submission.working_directory}/slurm-{job_id}.out"
        self.set_job(
            Job(
                job_id=job_id,
                state=JobState.PENDING,
                name=submission.name,
                user=user,
                account=account,
                partition=submission.partition or self.partition_names[0],
                reason="JobHeldUser" if submission.hold else "",
                submit_time=self.now,
                stdout_path=(submission.stdout_path or default_path).replace("%j", str(job_id)),
                working_directory=submission.working_directory,
                node_count=wanted,
                cpus=cpus,
                tasks=submission.tasks or wanted,
            )
        )
        return job_id

    def end_job(self, job: Job, state: JobState, *, exit_code: int | None = None) -> None:
        """End a job and give its nodes back; slurmdbd remembers this run."""
        signal = None
        if state is JobState.CANCELLED and job.state is JobState.RUNNING:
            signal = 15
        elif state is JobState.CANCELLED:
            exit_code = 0
        ended = replace(
            job,
            state=state,
            exit_code=exit_code,
            exit_signal=signal,
            start_time=job.start_time or self.now,
            end_time=self.now,
            planned_end=None,
        )
        self.set_job(ended)
        self.history.setdefault(job.job_id, []).append(ended)
        for name in expand(job.nodes):
            self._refresh(NodeName(name))

    def fail_node_jobs(self, name: NodeName) -> None:
        """End the jobs of a node as NODE_FAIL and requeue those that may be."""
        for job in tuple(self.jobs.values()):
            if job.state is not JobState.RUNNING or name not in expand(job.nodes):
                continue
            self.end_job(job, JobState.NODE_FAIL, exit_code=1)
            self.requeue_job(job)

    def requeue_job(self, job: Job) -> bool:
        """Put a job back into the queue; False when it was submitted as one that may not be.

        Args:
            job: its record as it was before it ended.
        """
        running = self._running[job.job_id]
        if running.submission.requeue is False:
            return False
        if self.jobs[job.job_id].state is JobState.RUNNING:
            self.end_job(job, JobState.CANCELLED)
        running.eligible_time = self.now + REQUEUE_SECONDS
        waiting = replace(
            job,
            state=JobState.PENDING,
            reason="BeginTime",
            nodes="",
            submit_time=self.now,
            start_time=None,
            end_time=None,
            planned_end=None,
            exit_code=None,
            exit_signal=None,
            restart_count=job.restart_count + 1,
        )
        self.set_job(waiting)
        return True

    def _start_jobs(self) -> None:
        for job_id in sorted(self.jobs):
            job, running = self.jobs[job_id], self._running[job_id]
            if job.state is not JobState.PENDING or running.submission.hold:
                continue
            if self.now < running.eligible_time:
                continue
            names = self._place(running)
            if names is None:
                self.set_job(replace(job, reason="Resources"))
                continue
            started = replace(
                job,
                state=JobState.RUNNING,
                reason="",
                nodes=fold(names),
                start_time=self.now,
                planned_end=self.now + running.limit_seconds,
            )
            self.set_job(started)
            for name in names:
                self._refresh(name)

    def _place(self, running: _Running) -> tuple[NodeName, ...] | None:
        share = -(-running.wanted_cpus // running.wanted_nodes)
        required = running.submission.required_nodes
        fitting = [
            node.name
            for node in sorted(self.nodes.values(), key=lambda node: node.name)
            if node.state in (NodeState.IDLE, NodeState.MIXED)
            and not node.drain
            and node.cpus - node.alloc_cpus >= share
            and (not required or node.name in required)
        ]
        wanted = running.wanted_nodes
        return tuple(fitting[:wanted]) if len(fitting) >= wanted else None

    def _refresh(self, name: NodeName) -> None:
        """Set a node's allocation and base state from the jobs on it."""
        node = self.nodes.get(name)
        if node is None:
            return
        used = 0
        for job in self.jobs.values():
            if job.state is JobState.RUNNING and name in expand(job.nodes):
                used += -(-job.cpus // job.node_count)
        state = node.state
        if state in (NodeState.IDLE, NodeState.MIXED, NodeState.ALLOCATED):
            state = NodeState.MIXED if used else NodeState.IDLE
            state = NodeState.ALLOCATED if used >= node.cpus > 0 else state
        self.set_node(replace(node, alloc_cpus=used, state=state))
