"""Submit a run that is complete in its folder, and follow it: what `submit` and `replay` share."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import exits
from sunk.cli.lazy import Later
from sunk.cli.output import Form, say, show
from sunk.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from sunk.clients.slurm.commands import SlurmCommands
    from sunk.model.profile import ClusterProfile
    from sunk.model.slurm import Job, JobId
    from sunk.toolkit import catalogue, runs, shape
    from sunk.toolkit import follow as following
    from sunk.wiring import login
else:
    following = Later("sunk.toolkit.follow")
    login = Later("sunk.wiring.login")
    runs = Later("sunk.toolkit.runs")
    shape = Later("sunk.toolkit.shape")

FollowOption = Annotated[bool, typer.Option("--follow", help="Follow the job to its end.")]


def refuse(template: catalogue.Template, cluster: ClusterProfile | None) -> None:
    """Refuse what cannot be submitted here, before anything is made.

    Raises:
        InputError: a person runs such scripts, or the profile is another cluster's.
    """
    runs.refuse_by_hand(template)
    if cluster is not None:
        shape.refuse_other_cluster(cluster, login.cluster_name())


def by_hand(run: runs.Run) -> str:
    """Return the command that submits a run."""
    return shlex.join(["sbatch", f"--chdir={run.folder}", str(run.script)])


def start(run: runs.Run, output: Form, *, follow_it: bool) -> None:
    """Submit a run's script, note its number, say it, and follow the job if that is wanted.

    Raises:
        typer.Exit: it was followed; with the exit code that its end means.
    """
    slurm = login.slurm_commands()
    try:
        job_id = slurm.submit(run.script, run.folder)
    except Rejected as exc:
        exc.hint = exc.hint or "the same with check in place of submit says what is too much"
        raise
    run = runs.note_job(run, job_id)
    show({"job_id": job_id, "folder": str(run.folder)}, output)
    if follow_it:
        raise typer.Exit(code(follow(slurm, run, job_id, say)))


def follow(
    slurm: SlurmCommands, run: runs.Run, job_id: JobId, tell: Callable[[str], None]
) -> tuple[Job, ...]:
    """Follow a job, or all elements of an array; return their last states."""
    if run.elements is None:
        return (following.follow(slurm, job_id, tell, log=run.log),)
    return following.follow_array(slurm, job_id, run.elements, tell, logs=run.log_of)


def code(last: tuple[Job, ...]) -> int:
    """Return the exit code that a job's last states mean."""
    return exits.OK if all(map(following.completed, last)) else exits.FAILED_CHECK
