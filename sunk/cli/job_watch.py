"""``sunk job watch``: whether a run's ranks go on, and who holds the others up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sunk.cli import exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import InputError

if TYPE_CHECKING:
    from sunk.toolkit import heartbeats, run_states, runs, watching
    from sunk.wiring import login
else:
    heartbeats = Later("sunk.toolkit.heartbeats")
    run_states = Later("sunk.toolkit.run_states")
    runs = Later("sunk.toolkit.runs")
    watching = Later("sunk.toolkit.watching")
    login = Later("sunk.wiring.login")

ASK_SECONDS = 10.0
"""Slurm is asked how the job is while no rank goes on, and so often at most."""


def watch(
    run: RunArgument,
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
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say how a run goes, from the heartbeats of its ranks.

    Each rank writes a line for each step. When nobody goes on, the ranks that did the fewest steps
    are named: the others wait for them. While all go on, ranks are named that end their steps later
    than they used to. A silent rank is unknown, not dead, and nothing is ever ended for it.

    Changes nothing. Without `--once` it looks until Slurm says that the job has ended, and prints
    what changed; while no rank goes on, Slurm is asked how the job is. Where Slurm does not say,
    it looks on.

    Exit codes: 0 the job completed, or with `--once` all ranks go on or it waits; 1 it ended
    otherwise, or with `--once` some hang, are slow or were never heard of; 2 no such run, or it has
    no heartbeats.

    For example:

    - `sunk job watch 17`
    - `sunk job watch ~/sunk-runs/fsdp2-20260102T030405 --once --output json`
    """
    found = run_folder.find(run, run_dir, "watch")
    state = _ask(found)
    if once:
        _once(found, state, hang_seconds, output)
    told, pace, asked = "", None, time.monotonic()
    while not state.over:
        before, pace = pace, _pace(found, state, hang_seconds)
        said = state.said if pace is None else pace.said
        if said != told:
            _tell(said, state if pace is None else pace, output)
            told = said
        time.sleep(every)
        goes_on = before is not None and pace is not None and pace.step > before.step
        if not goes_on and time.monotonic() - asked >= ASK_SECONDS:
            state, asked = _ask(found), time.monotonic()
    _tell(state.said, state, output)
    if not state.completed:
        say(f"what became of it: sunk job explain {state.job_id}")
    raise typer.Exit(exits.OK if state.completed else exits.FAILED_CHECK)


def _ask(found: runs.Run) -> run_states.RunState:
    (state,) = run_states.states_of([found], login.slurm_commands())
    return state


def _pace(
    found: runs.Run, state: run_states.RunState, hang_seconds: float
) -> watching.RunPace | None:
    """Return how the ranks go on; None while the job waits, or has written nothing yet.

    Raises:
        InputError: there are no heartbeats, and no job that may yet write some.
    """
    if state.state == "PENDING":
        return None  # What lies there is of an earlier attempt.
    try:
        attempt = heartbeats.latest_attempt(found.folder)
    except InputError:
        if state.known and state.job_id:
            return None
        raise
    return watching.judge(
        heartbeats.beats_of(found.folder, attempt),
        heartbeats.places_of(found.folder, attempt),
        time.time(),
        hang_seconds=hang_seconds,
    )


def _once(
    found: runs.Run, state: run_states.RunState, hang_seconds: float, output: Form
) -> NoReturn:
    pace = None if state.over else _pace(found, state, hang_seconds)
    if pace is None:
        _tell(state.said, state, output)
        raise typer.Exit(exits.FAILED_CHECK if state.over and not state.completed else exits.OK)
    if output is Form.TABLE:
        say(pace.said)
    show(pace.ranks if output is Form.TABLE else pace, output)
    raise typer.Exit(exits.FAILED_CHECK if pace.hangs or pace.odd else exits.OK)


def _tell(said: str, whole: object, output: Form) -> None:
    typer.echo(said) if output is Form.TABLE else show(whole, output)
