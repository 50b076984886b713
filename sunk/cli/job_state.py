"""``sunk job status``, ``list`` and ``cancel``: the runs that were submitted from here."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.options import DryRunOption
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import InputError, NotFound

if TYPE_CHECKING:
    from sunk.toolkit import run_history, run_states, runs
    from sunk.wiring import login
else:
    run_history = Later("sunk.toolkit.run_history")
    run_states = Later("sunk.toolkit.run_states")
    runs = Later("sunk.toolkit.runs")
    login = Later("sunk.wiring.login")

_COLUMNS = ("job_id", "state", "run", "template", "nodes", "attempts", "step")


def status(run: RunArgument, run_dir: RunsOption = None, output: OutputOption = Form.TABLE) -> None:
    """Say how a run is: its job's state now, and what its attempts came to.

    Of an array it counts the elements in each state. Where Slurm does not answer, or does not know
    the job any more, the state is UNKNOWN. Changes nothing.

    Exit codes: 0 said; 2 no such run; 5 Slurm does not say how the job is.

    For example:

    - `sunk job status 17`
    - `sunk job status ~/sunk-runs/fsdp2-20260102T030405 --output json`
    """
    found = run_folder.find(run, run_dir, "show")
    (state,) = run_states.states_of([found], login.slurm_commands())
    show(state, output)
    raise typer.Exit(exits.OK if state.known else exits.UNKNOWN)


def list_runs(
    run_dir: RunsOption = None,
    most: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="How many, the last ones.")
    ] = 50,
    output: OutputOption = Form.TABLE,
) -> None:
    """List runs that were submitted from here, the last one first, and how they are.

    Slurm is asked once for all of them. Changes nothing.

    Exit codes: 0 listed; 2 there is no such folder; 5 Slurm does not say how some are.

    For example:

    - `sunk job list`
    - `sunk job list --last 5 --output json`
    """
    found = list(islice(runs.all_runs(run_folder.runs_folder_named(run_dir)), most))
    states = run_states.states_of(found, login.slurm_commands())
    show(states, output, _COLUMNS)
    known = all(state.known for state in states)
    raise typer.Exit(exits.OK if known else exits.UNKNOWN)


def cancel(run: RunArgument, run_dir: RunsOption = None, dry_run: DryRunOption = False) -> None:
    """Cancel the jobs of a run: its own, of an array all elements, and those that go on after it.

    Touches: Slurm; the run folder stays. `--dry-run` only says which jobs.

    Exit codes: 0 Slurm took it, or the jobs had ended; 2 no such run, or it was not submitted;
    4 Slurm refused or did not answer: the jobs may still run.

    For example:

    - `sunk job cancel 17`
    """
    found = run_folder.find(run, run_dir, "cancel")
    jobs = run_history.jobs_of(found)
    if not jobs:
        raise InputError(f"cancel {found.folder}: it was not submitted")
    if dry_run:
        say(f"would cancel {', '.join(map(str, jobs))}")
        return
    slurm = login.slurm_commands()
    # The last one first: an end may be what it waits for.
    for job_id in reversed(jobs):
        try:
            slurm.cancel(job_id)
        except NotFound:
            say(f"job {job_id} had ended")
        else:
            say(f"job {job_id}: cancelled")
