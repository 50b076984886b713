"""The run that a command is about: its folder, or the number of its job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import complete
from sunk.cli.lazy import Later
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.toolkit import runs
else:
    runs = Later("sunk.toolkit.runs")

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN|JOBID",
        help="A run's folder or name, or the number of a job submitted by sunk.",
        autocompletion=complete.jobs,
    ),
]
RunsOption = Annotated[
    Path | None,
    typer.Option("--run-dir", metavar="DIR", help="Parent of run folders [default: ~/sunk-runs]."),
]


def runs_folder(run_dir: Path | None) -> Path:
    """Return the parent of run folders."""
    return run_dir.absolute() if run_dir is not None else Path.home() / runs.RUNS_FOLDER


def runs_folder_named(run_dir: Path | None) -> Path:
    """Return the parent of run folders; one that somebody named has to be there.

    Raises:
        InputError: it is not.
    """
    if run_dir is not None and not run_dir.is_dir():
        raise InputError(f"list runs in {run_dir}: there is no such folder")
    return runs_folder(run_dir)


def find(run: str, run_dir: Path | None, verb: str) -> runs.Run:
    """Return the run that was typed.

    Args:
        run: its folder, its name in the parent of run folders, or the number of its job.
        run_dir: parent of run folders.
        verb: what is to be done with it, for the message.

    Raises:
        InputError: there is no such run.
    """
    root = runs_folder(run_dir)
    if not run.isdecimal():
        for folder in (Path(run), root / run):
            if folder.is_dir():
                # Whole, because a run is called by its folder's name, and "." has none.
                return runs.read_run(folder.absolute())
        if "/" in run:
            raise InputError(
                f"{verb} {run}: there is no such folder",
                hint="give its folder, name or job number: sunk job list",
            )
        raise InputError(f"{verb} {run}: there is no run of this name in {root}")
    found = runs.find_run(root, runs.parse_job_id(run))
    if found is None:
        raise InputError(
            f"{verb} job {run}: no run folder in {root} is of this job",
            hint="give its folder, or --run-dir",
        )
    return found
