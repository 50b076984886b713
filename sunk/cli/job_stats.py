"""``sunk job stats``: where a run's time went, what it cost, how often it should save."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import result_file, run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.run_folder import RunArgument, RunsOption
from sunk.errors import CommandError, EnvironmentFault, InputError, RemoteError

if TYPE_CHECKING:
    from sunk.model.accounting import Allocation
    from sunk.model.curve import Curve
    from sunk.model.profile import ClusterProfile, Price
    from sunk.render import profile as profiles
    from sunk.render import run_picture, sparkline
    from sunk.toolkit import heartbeats, run_curves, run_history, run_stats, run_times, runs
    from sunk.wiring import login
else:
    login = Later("sunk.wiring.login")
    profiles = Later("sunk.render.profile")
    run_picture = Later("sunk.render.run_picture")
    sparkline = Later("sunk.render.sparkline")
    heartbeats = Later("sunk.toolkit.heartbeats")
    run_curves = Later("sunk.toolkit.run_curves")
    run_history = Later("sunk.toolkit.run_history")
    run_stats = Later("sunk.toolkit.run_stats")
    run_times = Later("sunk.toolkit.run_times")
    runs = Later("sunk.toolkit.runs")

_SHARES = ("useful", "lost", "stalled", "start", "tail")


def stats(
    run: RunArgument,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", metavar="FILE", help="Profile of the cluster, for its prices."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw curves and shares into this .svg or .png, replacing it; needs the extra "
            "'plot'.",
        ),
    ] = None,
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say where the time of a run's attempts went, what that cost, and how often it should save.

    Shares of allocated time make up one: useful steps, steps that had to be done again, stalls (a
    step of more than twice the usual length: a save, data, a slow rank), start and end. When each
    attempt had its nodes is what accounting says (sacct, of every requeue and every job that went
    on for the run); where it cannot be asked, the files in the run folder say it, which do not see
    the queue nor how long nodes took to start. Steps and saves are those of the files. Below the
    figures, the loss by step and each collective's bandwidth by size are drawn in characters.

    Asks Slurm once. Changes nothing but the file of `--plot`.

    Exit codes: 0 said; 2 no such run, it is an array, the profile is wrong, or there is nothing to
    draw; 3 what draws is not installed, or the file cannot be written.

    For example:

    - `sunk job stats 17`
    - `sunk job stats 17 --profile profile.yaml --output json`
    - `sunk job stats 17 --plot run.svg`
    """
    found = run_folder.find(run, run_dir, "measure")
    if found.elements is not None:
        raise InputError(
            f"measure {found.folder}: an array's elements run side by side, each a job of its own",
            hint=f"sacct -X -j {found.job_id} -o JobID,State,Elapsed,AllocTRES",
        )
    parameters = runs.read_record(found.folder).get("parameters")
    wanted = parameters if isinstance(parameters, dict) else {}
    prices = None if profile is None else profiles.load_profile(profile)[1]
    now_ms = time.time_ns() // 1_000_000
    attempts = run_times.timed_attempts(found.folder, _accounted(found), now_ms)
    judged = run_history.attempts(found.folder)
    nodes = wanted.get("nodes", 1)
    price = _price(prices, wanted.get("partition"))
    figures = run_stats.stats_of(attempts, judged, nodes, price)
    curves = run_curves.curves_of(found.folder)
    if plot is not None:
        shares = {one: getattr(figures, one) for one in _SHARES}
        form = plot.suffix.lstrip(".").lower()
        picture = run_picture.draw(found.folder.name, curves, shares, form)
        result_file.write(plot, picture)
    if figures.attempts and not heartbeats.any_of(found.folder):
        say("no rank wrote a heartbeat: nothing says what the time went to, so it counts as start")
    show(figures, output)
    if output is Form.TABLE:
        _sketch(figures, curves)


def _accounted(run: runs.Run) -> dict[int, Allocation]:
    """Return what accounting says of each attempt; nothing where it cannot be asked."""
    jobs = run_history.jobs_of(run)
    if not jobs:
        return {}
    try:
        known = login.slurm_commands().allocations(jobs)
    except (RemoteError, CommandError, EnvironmentFault) as exc:
        say(f"times are those of the run's files: {exc}")
        return {}
    return run_history.allocations_of(run, known)


def _sketch(figures: run_stats.RunStats, curves: tuple[Curve, ...]) -> None:
    """Draw shares and curves in characters."""
    if figures.allocated_seconds:
        typer.echo()
        for line in sparkline.bars({one: getattr(figures, one) for one in _SHARES}):
            typer.echo(line)
    if curves:
        typer.echo()
    for one in curves:
        (first, begin), (last, end) = one.points[0], one.points[-1]
        drawn = sparkline.sparkline(one.values)
        typer.echo(f"{one.name}: {begin:.4g} {drawn} {end:.4g} ({one.along} {first} to {last})")


def _price(profile: ClusterProfile | None, partition: str | None) -> Price | None:
    """Return the price of the run's nodes: of its partition, or of the default one."""
    if profile is None:
        return None
    default = next((one.name for one in profile.partitions if one.default), None)
    wanted = partition or default
    return next((one for one in profile.prices if one.partition == wanted), None)
