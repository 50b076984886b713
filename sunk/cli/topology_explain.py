"""``sunk topology explain``: where a job's nodes lie, and in which order its ranks belong."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, plain, say, show

if TYPE_CHECKING:
    from sunk.model import hostlist
    from sunk.plan import expected, rank_order, slowdown
    from sunk.render import topology as files
    from sunk_jobs.placement import hostlist as folding
    from sunk_jobs.placement import rank_map
else:
    hostlist = Later("sunk.model.hostlist")
    expected = Later("sunk.plan.expected")
    rank_order = Later("sunk.plan.rank_order")
    slowdown = Later("sunk.plan.slowdown")
    files = Later("sunk.render.topology")
    folding = Later("sunk_jobs.placement.hostlist")
    rank_map = Later("sunk_jobs.placement.rank_map")


class Wanted(StrEnum):
    """What to print."""

    REPORT = "report"
    HOSTFILE = "hostfile"
    MAP = "map"


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A topology file, YAML or JSON.")],
    nodes: Annotated[
        str, typer.Option("--nodes", metavar="HOSTLIST", help="The job's nodes in Slurm.")
    ],
    ranks_per_node: Annotated[
        int, typer.Option("--ranks-per-node", metavar="N", help="Ranks on each node.")
    ] = 1,
    segment: Annotated[
        int | None,
        typer.Option("--segment", metavar="N", help="Nodes of a segment, as in sbatch --segment."),
    ] = None,
    realised: Annotated[
        str | None,
        typer.Option(
            "--realised",
            metavar="HOSTLIST",
            help="The same nodes in the order that a run had them, to compare.",
        ),
    ] = None,
    size_gib: Annotated[
        float, typer.Option("--size-gib", metavar="GIB", help="Size of the all-reduce.")
    ] = 1.0,
    wanted: Annotated[
        Wanted,
        typer.Option(
            "--print", help="A report, or what srun and launchers take.", show_choices=True
        ),
    ] = Wanted.REPORT,
    output: OutputOption = Form.TABLE,
) -> None:
    """Say in which order a job's ranks belong on the network, and what another order would cost.

    For each level: how many places the job is on, and how often a ring over its nodes leaves them
    (in all, and the worst place) in the planned order, in the realised one, and in the worst there
    is. The factor is how much longer oversubscribed places make the network take. Nodes that the
    topology does not have come last and are named. Changes nothing.

    Exit codes: 0 printed; 2 the file, a hostlist or a number is wrong.

    For example:

    - `sunk topology explain topology.yaml --nodes 'w-[0-11]'`
    - `sunk topology explain topology.yaml --nodes 'w-[0-11]' --realised 'w-[0,1,10,11,2-9]'`
    - `sunk topology explain topology.yaml --nodes 'w-[0-3]' --ranks-per-node 8 --print hostfile`
    """
    topology = files.load_topology(file)
    run = None if realised is None else hostlist.expand(realised)
    report = rank_order.plan_ranks(
        topology, hostlist.expand(nodes), ranks_per_node, segment_nodes=segment, realised=run
    )
    ranks = report.ranks
    if wanted is Wanted.HOSTFILE:
        typer.echo(ranks.hostfile(), nl=False)
        return
    if wanted is Wanted.MAP:
        typer.echo(rank_map.dump_map(ranks), nl=False)
        return
    orders = {"planned": ranks.order()} | ({} if run is None else {"realised": run})
    factors = {name: slowdown.slowdown(topology, one).crossing for name, one in orders.items()}
    times = {
        name: expected.expected_all_reduce(topology, one, ranks_per_node, size_gib * 2**30)
        for name, one in orders.items()
    }
    if output is not Form.TABLE:
        show(plain(report) | {"factor": factors, "all_reduce": plain(times)}, output)
        return
    _print(report, factors)
    for name, one in times.items():
        _say_times(f"all-reduce of {size_gib:g} GiB, {name}", one)


def _say_times(what: str, found: Any) -> None:
    if found.lacking:
        say(f"{what}: not known, as the topology lacks {found.lacking}")
        return
    said = ", ".join(
        f"{algorithm} {one.least_seconds * 1e3:.3g} to {one.most_seconds * 1e3:.3g} ms"
        for algorithm, one in found.times.items()
    )
    say(f"{what}: {said}")


def _print(report: Any, factors: dict[str, float]) -> None:
    rows = [
        {
            "level": one.level,
            "places": one.places,
            "planned": _exits(one.planned),
            "realised": None if one.realised is None else _exits(one.realised),
            "worst": _exits(one.possible),
        }
        for one in report.crossings
    ]
    show(rows, Form.TABLE)
    say(f"\norder: {folding.fold_in_order(report.ranks.order())}")
    said = ", ".join(f"{name} {factor:.2f}" for name, factor in factors.items())
    say(f"factor on the network's time: {said}")
    if report.ranks.outside:
        say(f"in no whole segment: {folding.fold(report.ranks.outside)}")
    if report.ranks.unknown:
        say(f"not in the topology, so ranked last: {folding.fold(report.ranks.unknown)}")


def _exits(exits: Any) -> str:
    return f"{exits.total} ({exits.worst})"
