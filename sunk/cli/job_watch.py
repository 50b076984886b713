"""``sunk job watch``: whether a run's ranks go on, and who holds the others up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import exits, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunArgument, RunsOption

if TYPE_CHECKING:
    from sunk.toolkit import heartbeats, watching
else:
    heartbeats = Later("sunk.toolkit.heartbeats")
    watching = Later("sunk.toolkit.watching")


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

    Changes nothing. Without `--once` it looks until it is interrupted, and prints what changed.

    Exit codes: 0 with `--once` all ranks go on, else interrupted; 1 with `--once` some hang, are
    slow or were never heard of; 2 no such run, or it has no heartbeats.

    For example:

    - `sunk job watch 17`
    - `sunk job watch ~/sunk-runs/fsdp2-20260102T030405 --once --output json`
    """
    folder = run_folder.find(run, run_dir, "watch").folder
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
