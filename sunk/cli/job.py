"""``sunk job``: render, submit and follow jobs from templates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import complete, exits, job_check, job_layout, job_lint, job_template
from sunk.cli.lazy import Later
from sunk.cli.options import DryRunOption
from sunk.cli.output import Form, OutputOption, say, show

if TYPE_CHECKING:
    from sunk.toolkit import follow as following
    from sunk.toolkit import job_file, runs, script
    from sunk.wiring import login
else:
    following = Later("sunk.toolkit.follow")
    job_file = Later("sunk.toolkit.job_file")
    runs = Later("sunk.toolkit.runs")
    script = Later("sunk.toolkit.script")
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
RunsOption = Annotated[
    Path | None,
    typer.Option("--run-dir", metavar="DIR", help="Parent of run folders [default: ~/sunk-runs]."),
]


@app.command()
def render(source: SourceArgument, assign: SetOption = None) -> None:
    """Print the script of a job; change nothing.

    The same template and parameters give the same bytes. A value of `--set` is YAML, so
    `program=[python3, train.py]` is a list.

    Exit codes: 0 printed; 2 no such template or file, or a parameter is wrong.

    For example:

    - `sunk job render mpi --set nodes=4 --set timeLimit=30`
    - `sunk job render ./job.yaml`
    """
    typer.echo(script.render_job(*job_file.read_job(source, assign or [])).script, nl=False)


@app.command()
def submit(
    source: SourceArgument,
    assign: SetOption = None,
    run_dir: RunsOption = None,
    dry_run: DryRunOption = False,
    follow_it: Annotated[bool, typer.Option("--follow", help="Follow the job to its end.")] = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Make a run folder, and submit its script with sbatch.

    The folder holds the script, a record of what it was made from, the job programs of ours, and
    later what the job prints and writes. It is complete before Slurm hears of the job.

    Touches: one new folder below `--run-dir`, and Slurm. `--dry-run` prints the script instead.

    Exit codes: 0 submitted; with `--follow` 0 only if the job completed, else 1; 2 no such
    template or file, or a parameter is wrong; 3 the folder cannot be made; 4 sbatch refused.

    For example:

    - `sunk job submit hello --set nodes=2 --follow`
    - `sunk job submit ./job.yaml --output json`
    """
    template, parameters = job_file.read_job(source, assign or [])
    job = script.render_job(template, parameters)
    if dry_run:
        typer.echo(job.script, nl=False)
        return
    run = runs.make_run(_runs(run_dir), template, parameters, job, datetime.now(tz=UTC))
    slurm = login.slurm_commands()
    job_id = slurm.submit(run.script, run.folder)
    runs.note_job(run, job_id)
    show({"job_id": job_id, "folder": str(run.folder)}, output)
    if follow_it:
        last = following.follow(slurm, job_id, say, log=run.log)
        raise typer.Exit(exits.OK if following.completed(last) else exits.FAILED_CHECK)


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
    submitted by `sunk job submit`; with `--output json` or `yaml` it goes to stderr, and the
    job's last state to stdout.

    Exit codes: 0 only if the job completed with exit code 0, else 1; 2 not a job number; 4 Slurm
    does not know the job, or does not answer for a minute.

    For example:

    - `sunk job follow 17`
    """
    number = runs.parse_job_id(job_id)
    run = runs.find_run(_runs(run_dir), number) or runs.Run(folder=Path("/nonexistent"))
    tell = typer.echo if output is Form.TABLE else say
    last = following.follow(login.slurm_commands(), number, tell, log=run.log)
    if output is not Form.TABLE:
        show(last, output)
    raise typer.Exit(exits.OK if following.completed(last) else exits.FAILED_CHECK)


def _runs(run_dir: Path | None) -> Path:
    return run_dir.absolute() if run_dir is not None else Path.home() / runs.RUNS_FOLDER
