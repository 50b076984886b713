"""``sunk job watch``: whether a run's ranks go on, and who holds the others up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import complete, exits
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.toolkit import heartbeats, runs, watching
else:
    heartbeats = Later("sunk.toolkit.heartbeats")
    runs = Later("sunk.toolkit.runs")
    watching = Later("sunk.toolkit.watching")


def watch(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|JOBID",
            help="A run's folder, or the number of a job submitted by sunk.",
            autocompletion=complete.jobs,
        ),
    ],
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", min=0.1, help="How often to look.")
    ] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    hang_seconds: Annotated[
        float,
        typer.Option(
            "--hang-seconds",
            metavar="SECONDS",
            min=1.0,
            help="Shortest stand-still that counts as a hang; ten usual steps at least.",
        ),
    ] = 300.0,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", metavar="DIR", help="Where run folders are; ~/sunk-runs."),
    ] = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say how a run goes, from the heartbeats of its ranks.

    Each rank writes a line for each step. When nobody goes on, the ranks that did the fewest steps
    are named: the others wait for them. While all go on, ranks are named that end their steps later
    than they used to. A silent rank is unknown, not dead, and nothing is ever ended for it.

    Changes nothing. Without `--once` it looks until it is interrupted, and prints what changed.

    Exit codes: 0 with `--once` all ranks go on, else interrupted; 1 with `--once` some hang, are
    slow or were never heard of; 2 no such run, or it has no heartbeats.

    For example:

    - `sunk job watch 17`
    - `sunk job watch ~/sunk-runs/fsdp2-20260102T030405 --once --output json`
    """
    folder = _folder(run, run_dir)
    told = ""
    while True:
        attempt = heartbeats.latest_attempt(folder)
        pace = watching.judge(
            heartbeats.beats_of(folder, attempt),
            heartbeats.places_of(folder, attempt),
            time.time(),
            hang_seconds=hang_seconds,
        )
        if once:
            if output is Form.TABLE:
                say(pace.said)
            show(pace.ranks if output is Form.TABLE else pace, output)
            raise typer.Exit(exits.FAILED_CHECK if pace.hangs or pace.odd else exits.OK)
        if pace.said != told:
            typer.echo(pace.said) if output is Form.TABLE else show(pace, output)
            told = pace.said
        time.sleep(every)


def _folder(run: str, run_dir: Path | None) -> Path:
    if not run.isdecimal():
        if not Path(run).is_dir():
            raise InputError(f"watch {run}: there is no such folder")
        return Path(run)
    root = run_dir.absolute() if run_dir is not None else Path.home() / runs.RUNS_FOLDER
    found = runs.find_run(root, runs.parse_job_id(run))
    if found is None:
        raise InputError(
            f"watch job {run}: no run folder in {root} is of this job",
            hint="give its folder, or --run-dir",
        )
    return found.folder
