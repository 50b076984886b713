"""Slurm over its own commands: `scontrol`, `squeue`, `sacct`, `sacctmgr`, `sbatch`, `scancel`.

For places without a slurmrestd, and for what 24.11's REST lacks. The commands sign their requests
through a sack socket, as the user that they run as; where they run is the runner's business.

Single records and small lists are read as JSON of the same data_parser version that slurmrestd is
asked for, with the same structs, so both clients agree by construction. Only the list of all jobs
is read field by field: see `sunk.clients.slurm.cli_jobs`. Every command starts with an environment
that holds nothing but what stands here: variables such as SQUEUE_STATES or SLURM_CLUSTERS would
change what is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sunk.clients.slurm import cli_jobs, codes
from sunk.clients.slurm import rest_v0042 as wire
from sunk.clients.slurm.cli_accounting import CliAccounting
from sunk.clients.slurm.cli_command import TIMEOUT_SECONDS, Commands
from sunk.clients.slurm.cli_errors import SYSTEM, number_in, refusal
from sunk.clients.slurm.cli_submit import checked_environment, checked_script, sbatch_options
from sunk.clients.slurm.names import checked_name, checked_reason
from sunk.clients.slurm.runners import Runner
from sunk.clients.slurm.transport import log_warning
from sunk.errors import NotFound, Rejected, UnexpectedReply, clip
from sunk.model.slurm import (
    ClusterName,
    Job,
    JobId,
    JobSubmission,
    Listing,
    NodeName,
    Partition,
    Ping,
    SlurmNode,
)

UNCLEAR_MAX = 200
"""So many jobs are read again by number; beyond that, one full list is cheaper."""


class CliSlurm(CliAccounting):
    """Implements `SlurmClient` and `SlurmOperator` as the user that the commands run as.

    Args:
        runner: where the commands run.
        variables: set for every command: SLURM_CONF where it is not the default. A submitted job
            sees them too.
        sbatch: where sbatch is; to be given as a path when a job's own PATH does not lead to it.
        timeout_seconds: time limit of each command.
        on_warning: told about every warning.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        variables: Mapping[str, str] | None = None,
        sbatch: str = "sbatch",
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_warning: Callable[[str], None] = log_warning,
    ) -> None:
        super().__init__(
            Commands(
                runner,
                variables=variables or {},
                timeout_seconds=timeout_seconds,
                on_warning=on_warning,
            )
        )
        self._sbatch = sbatch

    # --- slurmctld -----------------------------------------------------------------------------

    def ping(self) -> Ping:
        """Return release of the commands, cluster name and whether slurmctld answers."""
        reply = self._commands.read(("scontrol", "ping"), wire.PingReply, what="ping slurmctld")
        return Ping(
            version=reply.meta.slurm.release,
            cluster=ClusterName(reply.meta.slurm.cluster),
            controller_up=any(entry.pinged == "UP" for entry in reply.pings),
        )

    def nodes(self) -> tuple[SlurmNode, ...]:
        """Return every node, sorted by name."""
        return self._node_listing().items

    def nodes_since(self, as_of: int) -> Listing[SlurmNode] | None:
        """Return every node if any changed at or after `as_of`, else None.

        Unchanged nodes cost as much as changed ones: scontrol cannot ask for changes.
        """
        listing = self._node_listing()
        return listing if listing.as_of >= as_of else None

    def node(self, name: NodeName) -> SlurmNode:
        """Return one node."""
        what = f"read node {checked_name(name, 'node')}"
        reply = self._commands.read(("scontrol", "show", "node", name), wire.NodesReply, what=what)
        _require_answer(reply.last_update, what)
        if not reply.nodes:
            raise NotFound(f"{what}: there is none of that name", system=SYSTEM)
        if len(reply.nodes) > 1:
            raise UnexpectedReply(f"{what}: asked for one, got {len(reply.nodes)}", system=SYSTEM)
        return reply.nodes[0].to_model()

    def drain(self, name: NodeName, reason: str) -> None:
        """Set the drain flag."""
        self._update_node(name, "DRAIN", f"drain node {name}", reason)

    def resume(self, name: NodeName) -> None:
        """Lift drain and down."""
        self._update_node(name, "RESUME", f"resume node {name}")

    def set_down(self, name: NodeName, reason: str) -> None:
        """Set the node DOWN at once."""
        self._update_node(name, "DOWN", f"set node {name} down", reason)

    def delete_node(self, name: NodeName) -> None:
        """Delete a dynamic node's record."""
        what = f"delete node {checked_name(name, 'node')}"
        self._commands.run(("scontrol", "delete", f"NodeName={name}"), what=what)

    def partitions(self) -> tuple[Partition, ...]:
        """Return every partition, sorted by name."""
        words = ("scontrol", "--all", "show", "partition")
        reply = self._commands.read(words, wire.PartitionsReply, what="list partitions")
        found = (partition.to_model() for partition in reply.partitions)
        return tuple(sorted(found, key=lambda partition: partition.name))

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs that slurmctld remembers, sorted by id."""
        return self._job_listing(self._queue()).items

    def jobs_since(self, as_of: int) -> Listing[Job] | None:
        """Return every job if any changed at or after `as_of`, else None.

        Unchanged jobs cost as much as changed ones: squeue cannot ask for changes.
        """
        queue = self._queue()
        return self._job_listing(queue) if queue.as_of >= as_of else None

    def job(self, job_id: JobId) -> Job:
        """Return a job that slurmctld remembers."""
        what = f"read job {job_id}"
        found = self._full_records((job_id,), what)
        # The number of an array brings the records of its tasks too.
        own = [job for job in found if job.job_id == job_id] or found[:1]
        if not own:
            raise NotFound(f"{what}: there is none of that number", system=SYSTEM)
        return own[0]

    def submit(self, submission: JobSubmission) -> JobId:
        """Submit a batch job as the user that the commands run as."""
        what = f"submit job {clip(submission.name, 60)}"
        words = (self._sbatch, *sbatch_options(submission))
        try:
            said = self._commands.run(
                words,
                what=what,
                variables=checked_environment(submission),
                input_text=checked_script(submission),
            )
        except NotFound as exc:
            # A node that the job asks for does not exist: the request is what is wrong.
            raise Rejected(exc.message, system=SYSTEM, hint=exc.hint) from exc
        # --parsable prints "id" or "id;cluster".
        number = said.strip().partition(";")[0]
        if not (number.isascii() and number.isdigit()):
            raise UnexpectedReply(f"{what}: sbatch printed {clip(said)!r}", system=SYSTEM)
        return JobId(int(number))

    def cancel(self, job_id: JobId) -> None:
        """End a job."""
        what = f"cancel job {job_id}"
        # Without --verbose it says nothing about a job that there is not.
        done = self._commands.start(("scancel", "--verbose", str(int(job_id))), what=what)
        if number_in(done.stderr) == codes.ALREADY_DONE:
            return
        if done.status != 0 or "error:" in done.stderr:
            raise refusal(done, what, "scancel")

    # --- slurmctld, what an operator does ------------------------------------------------------

    def requeue(self, job_id: JobId) -> None:
        """Put a running or ended job back into the queue."""
        self._commands.run(("scontrol", "requeue", str(int(job_id))), what=f"requeue job {job_id}")

    def reconfigure(self) -> None:
        """Make slurmctld and every slurmd read the configuration again."""
        self._commands.run(("scontrol", "reconfigure"), what="reconfigure slurmctld")

    # --- plumbing ------------------------------------------------------------------------------

    def _node_listing(self) -> Listing[SlurmNode]:
        what = "list nodes"
        words = ("scontrol", "--all", "show", "node")
        reply = self._commands.read(words, wire.NodesReply, what=what)
        as_of = _require_answer(reply.last_update, what)
        nodes = sorted((node.to_model() for node in reply.nodes), key=lambda node: node.name)
        return Listing(items=tuple(nodes), as_of=as_of)

    def _queue(self) -> cli_jobs.Queue:
        what = "list jobs"
        separator = cli_jobs.fresh_separator()
        form = cli_jobs.format_option(separator)
        options = ("--all", "--states=all", "--noheader", "--verbose", f"--Format={form}")
        said = self._commands.run(
            ("squeue", *options), what=what, variables={"SLURM_TIME_FORMAT": "%s"}, verbose=True
        )
        return cli_jobs.parse_queue(said, separator, what)

    def _job_listing(self, queue: cli_jobs.Queue) -> Listing[Job]:
        """Return the queue, its unclear records read in full; without those gone meanwhile."""
        wanted = frozenset(queue.unclear)
        full: tuple[Job, ...] = ()
        if wanted:
            chosen = queue.unclear if len(wanted) <= UNCLEAR_MAX else ()
            full = tuple(
                job for job in self._full_records(chosen, "list jobs") if job.job_id in wanted
            )
        jobs = sorted((*queue.jobs, *full), key=lambda job: job.job_id)
        return Listing(items=tuple(jobs), as_of=queue.as_of)

    def _full_records(self, numbers: Sequence[JobId], what: str) -> list[Job]:
        """Return the records of these jobs, of all without a number; those there are not lack."""
        chosen = (f"--jobs={','.join(str(int(number)) for number in numbers)}",) if numbers else ()
        words = ("squeue", "--all", "--states=all", *chosen)
        try:
            reply = self._commands.read(words, wire.JobsReply, what=what)
        except NotFound:
            # Said only when one number is asked for, by slurmctld.
            return []
        _require_answer(reply.last_update, what)
        return [job.to_model() for job in reply.jobs]

    def _update_node(
        self, name: NodeName, state: str, what: str, reason: str | None = None
    ) -> None:
        words = ["scontrol", "update", f"NodeName={checked_name(name, 'node')}", f"State={state}"]
        if reason is not None:
            # scontrol takes one quote off either end, whatever stands between.
            words.append(f'Reason="{checked_reason(reason, what)}"')
        self._commands.run(words, what=what)


def _require_answer(last_update: wire.Number, what: str) -> int:
    """Return slurmctld's time of the last change; a list without it did not come from there."""
    value = last_update.value()
    if not value:
        raise UnexpectedReply(
            f"{what}: the list has no time stamp, so slurmctld did not send it", system=SYSTEM
        )
    return value
