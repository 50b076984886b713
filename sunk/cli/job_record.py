"""``sunk job record``, ``diff`` and ``replay``: what a run was made from."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sunk.cli import exits, job_start, run_folder
from sunk.cli.lazy import Later
from sunk.cli.options import DryRunOption
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.render import profile as profiles
    from sunk.render import strict_file
    from sunk.toolkit import replaying, run_difference, run_evidence, runs, script
else:
    profiles = Later("sunk.render.profile")
    replaying = Later("sunk.toolkit.replaying")
    run_difference = Later("sunk.toolkit.run_difference")
    run_evidence = Later("sunk.toolkit.run_evidence")
    runs = Later("sunk.toolkit.runs")
    script = Later("sunk.toolkit.script")
    strict_file = Later("sunk.render.strict_file")


def record(run: RunArgument, run_dir: RunsOption = None, output: OutputOption = Form.YAML) -> None:
    """Print what a run was made from.

    Template and parameters, digest of the script, version of sunk, and what it was submitted from:
    git commit and a digest of changes beside it, Python, and the variables that change jobs, with
    secrets masked. Once it ran, `realised` has what its last attempt met, node by node in the order
    of ranks: versions of what it ran with (in containers those of the image), topology, ranks, and
    evidence of the fabric. What could not be seen is `unknown`. Changes nothing.

    Exit codes: 0 printed; 2 no such run, or it has no record.

    For example:

    - `sunk job record 17`
    """
    show(_record(run_folder.find(run, run_dir, "show")), output)


def diff(
    first: RunArgument,
    second: Annotated[str, typer.Argument(metavar="RUN|JOBID", help="The other run.")],
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say how two runs differ, what decides a job first.

    Template, cluster, parameters, code, environment, versions, then the script, which follows from
    these; then what the runs met: image, driver, CUDA, NCCL, torch, MPI, Slurm, Python, fabric,
    switches above each node, ranks. Numbers and times of
    the runs themselves are left out. Changes nothing.

    Exit codes: 0 they do not differ; 1 they do; 2 no such run, or it has no record.

    For example:

    - `sunk job diff 17 18`
    """
    records = [_record(run_folder.find(one, run_dir, "compare")) for one in (first, second)]
    found = run_difference.differences(*records)
    if output is Form.TABLE:
        say(f"first difference: {found[0].key}" if found else "no difference")
    if found or output is not Form.TABLE:
        show(found, output, ("key", "first", "second"))
    raise typer.Exit(exits.FAILED_CHECK if found else exits.OK)


def replay(
    run: RunArgument,
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile", metavar="FILE", help="Profile of the cluster, where the run had one."
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept",
            metavar="KEY",
            help="What may differ from the record, with all below it. Repeatable.",
        ),
    ] = None,
    run_dir: RunsOption = None,
    dry_run: DryRunOption = False,
    follow_it: job_start.FollowOption = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Submit a run again, as its record says.

    A new run folder is made from the template, parameters and cluster of the record, and submitted.
    What the record names has to be still so: the script that this version of sunk makes, the
    folder it was submitted from with its git commit and changes, Python, the variables that change
    jobs. The first thing that is gone or changed is named, and nothing is submitted; `--accept`
    lets it be so. `--dry-run` prints the script of today, and on stderr all that changed.

    Touches: one new folder below `--run-dir`, and Slurm; with `--dry-run` nothing.

    Exit codes: 0 submitted; with `--follow` 0 only if the job completed, else 1; with `--dry-run` 0
    it is the same script, 1 it differs; 2 no such run, it has no record, what the record names is
    gone or changed, or this version of sunk cannot make it any more; 3 the folder cannot be made; 4
    sbatch refused.

    For example:

    - `sunk job replay 17 --follow`
    - `sunk job replay 17 --dry-run`
    - `sunk job replay 17 --accept origin.environment.PATH --accept sunk`
    """
    found = run_folder.find(run, run_dir, "replay")
    source = str(found.folder)
    cluster = None if profile is None else profiles.load_profile(profile)[1]
    now = datetime.now(tz=UTC)
    again = replaying.replay_of(_record(found), source, cluster, os.environ, now)
    if dry_run:
        _show_replay(found, again)
    replaying.refuse_changed(again, source, accept or [])
    job_start.refuse(again.template, cluster)
    root = run_folder.runs_folder(run_dir)
    made = runs.make_run(root, again.template, again.parameters, again.job, now, again.origin)
    runs.note_replay(made, found.folder)
    job_start.start(made, output, follow_it=follow_it)


def _show_replay(found: runs.Run, again: replaying.Replay) -> NoReturn:
    typer.echo(again.job.script, nl=False)
    for one in again.changed:
        say(f"changed: {one.key}: {one.first!r:.100} -> {one.second!r:.100}")
    old = strict_file.load_text(found.script)
    lines = script.differences(str(found.script), old, again.job.script)
    say(lines.rstrip("\n") if lines else "the same script")
    raise typer.Exit(exits.FAILED_CHECK if lines else exits.OK)


def _record(run: runs.Run) -> dict[str, object]:
    """Return a run's record, with what the run met as far as it came."""
    found = runs.read_record(run.folder)
    if not found:
        raise InputError(
            f"read record of {run.folder}: there is none that can be read",
            hint="give the folder of a run that sunk job submit made",
        )
    met = run_evidence.evidence_of(run.folder)
    return found | ({"realised": met} if met else {})
