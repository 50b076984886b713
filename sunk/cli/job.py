"""``sunk job``: render, submit and follow jobs from templates."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import (
    complete,
    exits,
    job_check,
    job_explain,
    job_layout,
    job_lint,
    job_prove,
    job_record,
    job_start,
    job_state,
    job_stats,
    job_template,
    job_watch,
)
from sunk.cli.lazy import Later
from sunk.cli.options import DryRunOption
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunsOption, runs_folder
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.model.profile import ClusterProfile
    from sunk.render import profile as profiles
    from sunk.render import strict_file
    from sunk.toolkit import job_file, named_files, runs, script
    from sunk.toolkit import origin as origins
    from sunk.wiring import login
else:
    job_file = Later("sunk.toolkit.job_file")
    named_files = Later("sunk.toolkit.named_files")
    origins = Later("sunk.toolkit.origin")
    runs = Later("sunk.toolkit.runs")
    profiles = Later("sunk.render.profile")
    script = Later("sunk.toolkit.script")
    strict_file = Later("sunk.render.strict_file")
    login = Later("sunk.wiring.login")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Jobs from templates: render, submit, follow; and the linter of sbatch scripts.

`render`, `lint` and `template` work anywhere; `submit` and `follow` need Slurm's commands, so
run them on a login node.

For example:

- `sunk job submit mpi --set nodes=2 --follow`
""",
)
app.add_typer(job_template.app, name="template")
app.command(name="check")(job_check.check)
app.command(name="layout")(job_layout.layout)
app.command(name="prove")(job_prove.prove)
app.command(name="watch")(job_watch.watch)
app.command(name="status")(job_state.status)
app.command(name="list")(job_state.list_runs)
app.command(name="cancel")(job_state.cancel)
app.command(name="stats")(job_stats.stats)
app.command(name="record")(job_record.record)
app.command(name="diff")(job_record.diff)
app.command(name="replay")(job_record.replay)
app.command(name="explain")(job_explain.explain)
app.command(name="lint")(job_lint.lint)

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="TEMPLATE|FILE",
        help="A template's name, or a job file (YAML).",
        autocompletion=complete.templates,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter; wins over the file. Repeatable."),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="FILE",
        help="Profile of the cluster that the job is for; without one nothing is assumed.",
    ),
]


@app.command()
def render(
    source: SourceArgument,
    assign: SetOption = None,
    profile: ProfileOption = None,
    diff: Annotated[
        Path | None,
        typer.Option(
            "--diff", metavar="OLD", help="Print how the script differs from this one instead."
        ),
    ] = None,
) -> None:
    """Print the script of a job; change nothing.

    The same template, parameters and profile give the same bytes. A value of `--set` is YAML, so
    `program=[python3, train.py]` is a list. The profile decides --switches or --segment, CPUs of
    whole nodes, hardware threads, modules and the container runtime, and what it does not allow is
    refused.

    Exit codes: 0 printed, with `--diff` no difference; 1 the scripts differ; 2 no such template or
    file, a parameter is wrong, or the cluster cannot do what is asked for.

    For example:

    - `sunk job render mpi --set nodes=4 --set timeLimit=30`
    - `sunk job render ./job.yaml --profile profile.yaml`
    - `sunk job render ./job.yaml --diff ~/sunk-runs/mpi-20260102T030405/job.sbatch`
    """
    job = script.render_job(*job_file.read_job(source, assign or []), _profile(profile))
    if job.files:
        say(f"beside the script the run folder gets {', '.join(sorted(job.files))}")
    if diff is None:
        typer.echo(job.script, nl=False)
        return
    lines = script.differences(str(diff), strict_file.load_text(diff), job.script)
    typer.echo(lines, nl=False)
    raise typer.Exit(exits.FAILED_CHECK if lines else exits.OK)


@app.command()
def submit(
    source: SourceArgument,
    assign: SetOption = None,
    profile: ProfileOption = None,
    run_dir: RunsOption = None,
    dry_run: DryRunOption = False,
    prepare: Annotated[
        bool,
        typer.Option("--prepare", help="Make the run folder, print the sbatch command, and stop."),
    ] = False,
    follow_it: job_start.FollowOption = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Make a run folder, and submit its script with sbatch.

    The folder holds the script, a record of what it was made from, the job programs of ours, and
    later what the job prints and writes. It is complete before Slurm hears of the job. Of an array
    all elements are followed. A profile of another cluster is refused. An image, a mount, an input
    or a file with a key that is not on this machine is named on stderr: the nodes may have it.

    Touches: one new folder below `--run-dir`, and Slurm. `--dry-run` prints the script instead.
    With `--prepare` Slurm hears of nothing: the folder is for whoever wants to change the script,
    or to give sbatch options of their own.

    Exit codes: 0 submitted; with `--follow` 0 only if the job, or every element, completed, else
    1; 2 no such template or file, or a parameter is wrong; 3 the folder cannot be made; 4 sbatch
    refused.

    For example:

    - `sunk job submit hello --set nodes=2 --follow`
    - `sunk job submit array-sweep --set 'grid={seed: [1, 2, 3]}' --follow`
    - `sunk job submit ./job.yaml --output json`
    - `sunk job submit mpi --set nodes=4 --prepare`
    """
    if prepare and (dry_run or follow_it):
        other = "--dry-run" if dry_run else "--follow"
        raise InputError(f"prepare a run: {other} is for a run that is not only prepared")
    template, parameters = job_file.read_job(source, assign or [])
    cluster = _profile(profile)
    job = script.render_job(template, parameters, cluster)
    if dry_run:
        typer.echo(job.script, nl=False)
        return
    job_start.refuse(template, cluster)
    for line in named_files.missing_files(parameters):
        say(line)
    origin = origins.origin_of(Path.cwd(), os.environ)
    now = datetime.now(tz=UTC)
    run = runs.make_run(runs_folder(run_dir), template, parameters, job, now, origin)
    if prepare:
        show({"folder": str(run.folder), "command": job_start.by_hand(run)}, output)
        return
    job_start.start(run, output, follow_it=follow_it)


@app.command(name="follow")
def follow_command(
    job_id: Annotated[
        str,
        typer.Argument(
            metavar="JOBID", help="Slurm's number of the job.", autocompletion=complete.jobs
        ),
    ],
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Print a job's states and output until it ends.

    Changes nothing; ending it does not end the job. The output is shown when the job was
    submitted by `sunk job submit`, and of an array submitted so all elements are followed. With
    `--output json` or `yaml` it goes to stderr, and the last state of the job to stdout.

    Exit codes: 0 only if the job completed with exit code 0, else 1; 2 not a job number; 4 Slurm
    does not know the job, or does not answer for a minute.

    For example:

    - `sunk job follow 17`
    """
    number = runs.parse_job_id(job_id)
    run = runs.find_run(runs_folder(run_dir), number) or runs.Run(folder=Path("/nonexistent"))
    tell = typer.echo if output is Form.TABLE else say
    last = job_start.follow(login.slurm_commands(), run, number, tell)
    if output is not Form.TABLE:
        show(last[0] if run.elements is None else last, output)
    raise typer.Exit(job_start.code(last))


def _profile(file: Path | None) -> ClusterProfile | None:
    return None if file is None else profiles.load_profile(file)[1]
