"""A job submission as an argument list of sbatch.

sbatch takes more from its surroundings than slurmrestd does: lines of the script, variables, limits
of its own process. All of that is switched off, so that a job is the same over either.
"""

from __future__ import annotations

from collections.abc import Mapping

from sunk.clients.slurm.cli_errors import SYSTEM
from sunk.clients.slurm.names import checked_name
from sunk.errors import InputError, Rejected, clip
from sunk.model.slurm import JobSubmission

_OWN_VARIABLES = ("SBATCH_", "SLURM_")
"""Beginnings of variables that sbatch itself takes for options."""
_GRES = "gres/"


def sbatch_options(job: JobSubmission) -> tuple[str, ...]:
    """Return sbatch's options, each one word, so that no value is taken for another option.

    Raises:
        InputError: a value that sbatch would read as something else.
    """
    required = ",".join(checked_name(name, "node") for name in job.required_nodes)
    chosen = {
        "job-name": job.name,
        "chdir": job.working_directory,
        "partition": job.partition,
        "account": job.account,
        "qos": job.qos,
        "reservation": job.reservation,
        "nodes": job.nodes,
        "nodelist": required or None,
        "ntasks": job.tasks,
        "ntasks-per-node": job.tasks_per_node,
        "cpus-per-task": job.cpus_per_task,
        "mem": None if job.memory_per_node_mib is None else f"{job.memory_per_node_mib}M",
        "time": job.time_limit_minutes,
        "constraint": job.features,
        "gres": None if job.gres_per_node is None else _gres(job.gres_per_node),
        "array": job.array,
        "dependency": job.dependency,
        "output": job.stdout_path,
        "error": job.stderr_path,
        "comment": job.comment,
    }
    options = [f"--{name}={value}" for name, value in chosen.items() if value is not None]
    if job.hold:
        options.append("--hold")
    if job.requeue is not None:
        options.append("--requeue" if job.requeue else "--no-requeue")
    # Lines of other batch systems in the script, and the limits of our own process, are no wish.
    return ("--parsable", "--ignore-pbs", "--propagate=NONE", *options)


def checked_script(job: JobSubmission) -> str:
    """Return the batch script.

    Raises:
        InputError: it holds ``#SBATCH`` lines: they would count here and not over slurmrestd.
    """
    for line in job.script.splitlines():
        if line.strip() and not line.startswith("#"):
            break
        if line.startswith("#SBATCH"):
            raise InputError(
                f"submit job {clip(job.name, 60)}: its script says {clip(line, 60)!r}",
                hint="say it in the submission: over slurmrestd such a line has no effect",
            )
    return job.script


def checked_environment(job: JobSubmission) -> Mapping[str, str]:
    """Return the variables of the job.

    Raises:
        Rejected: there are none; slurmctld refuses such a job too.
        InputError: a name that is none, or that sbatch would take for an option of its own.
    """
    what = f"submit job {clip(job.name, 60)}"
    if not job.environment:
        raise Rejected(f"{what}: the environment is empty", system=SYSTEM)
    for name in job.environment:
        if not name or "=" in name:
            raise InputError(f"{what}: {clip(name)!r} is no name of a variable")
        if name.startswith(_OWN_VARIABLES):
            raise InputError(
                f"{what}: sbatch takes the variable {clip(name)} for an option of its own",
                hint="say it in the submission",
            )
    return job.environment


def _gres(wanted: str) -> str:
    """Return ``gpu:8`` for ``gres/gpu:8``: sbatch's option names no kind of resource."""
    words = wanted.split(",")
    for word in words:
        if "/" in word and not word.startswith(_GRES):
            raise InputError(
                f"read resources per node {clip(wanted)!r}: sbatch takes generic resources only",
                hint="write for example gres/gpu:8",
            )
    return ",".join(word.removeprefix(_GRES) for word in words)
