"""``sunk job stats``: where a run's time went, what it cost, how often it should save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import run_folder
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, show
from sunk.cli.run_folder import RunArgument, RunsOption

if TYPE_CHECKING:
    from sunk.model.profile import ClusterProfile, Price
    from sunk.render import profile as profiles
    from sunk.toolkit import run_history, run_stats, run_times, runs
else:
    profiles = Later("sunk.render.profile")
    run_history = Later("sunk.toolkit.run_history")
    run_stats = Later("sunk.toolkit.run_stats")
    run_times = Later("sunk.toolkit.run_times")
    runs = Later("sunk.toolkit.runs")


def stats(
    run: RunArgument,
    profile: Annotated[
        Path | None,
        typer.Option("--profile", metavar="FILE", help="Profile of the cluster, for its prices."),
    ] = None,
    run_dir: RunsOption = None,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say where the time of a run's attempts went, what that cost, and how often it should save.

    Shares of allocated time make up one: useful steps, steps that had to be done again, stalls (a
    step of more than twice the usual length: a save, data, a slow rank), start and end. They come
    from the files in the run folder; the time that nodes took to start is not seen.

    Changes nothing.

    Exit codes: 0 said; 2 no such run, or the profile is wrong.

    For example:

    - `sunk job stats 17`
    - `sunk job stats 17 --profile profile.yaml --output json`
    """
    found = run_folder.find(run, run_dir, "measure")
    parameters = runs.read_record(found.folder).get("parameters")
    wanted = parameters if isinstance(parameters, dict) else {}
    prices = None if profile is None else profiles.load_profile(profile)[1]
    spans = run_times.spans_of(found.folder)
    judged = run_history.attempts(found.folder)
    nodes = wanted.get("nodes", 1)
    price = _price(prices, wanted.get("partition"))
    show(run_stats.stats_of(spans, judged, nodes, price), output)


def _price(profile: ClusterProfile | None, partition: str | None) -> Price | None:
    """Return the price of the run's nodes: of its partition, or of the default one."""
    if profile is None:
        return None
    default = next((one.name for one in profile.partitions if one.default), None)
    wanted = partition or default
    return next((one for one in profile.prices if one.partition == wanted), None)
