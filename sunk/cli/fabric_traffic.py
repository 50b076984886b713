"""``sunk fabric test``: traffic between hosts, planned, bounded and cleaned up after."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sunk.assess.verdict import exit_code
from sunk.cli import exits, fabric_findings, fabric_sharp
from sunk.cli.fabric_heat import print_map
from sunk.cli.lazy import Later
from sunk.cli.options import DryRunOption, YesOption
from sunk.cli.output import Form, OutputOption, say, show
from sunk.cli.progress import reporting
from sunk.cli.run_folder import runs_folder
from sunk.errors import InputError
from sunk.progress import step

if TYPE_CHECKING:
    from sunk.model.profile import Price
    from sunk.render import profile as profiles
    from sunk.render import topology as topologies
    from sunk.wiring import fabric as wiring
    from sunk_fabric import folder as folders
    from sunk_fabric import service
    from sunk_fabric.active import heat, hosts, layout, planning, session, sharp, statement, tools
    from sunk_fabric.active.planning import Plan
    from sunk_fabric.active.sharp import SharpPlan
    from sunk_fabric.expected import Expected
else:
    profiles = Later("sunk.render.profile")
    topologies = Later("sunk.render.topology")
    wiring = Later("sunk.wiring.fabric")
    folders = Later("sunk_fabric.folder")
    service = Later("sunk_fabric.service")
    heat = Later("sunk_fabric.active.heat")
    hosts = Later("sunk_fabric.active.hosts")
    layout = Later("sunk_fabric.active.layout")
    planning = Later("sunk_fabric.active.planning")
    session = Later("sunk_fabric.active.session")
    sharp = Later("sunk_fabric.active.sharp")
    statement = Later("sunk_fabric.active.statement")
    tools = Later("sunk_fabric.active.tools")

from sunk_fabric.active.patterns import Pattern
from sunk_fabric.active.sharp_sides import Program
from sunk_fabric.active.tools import ToolName

_RATED = {
    ToolName.IB_WRITE_BW: ("rdma.pair.bandwidth",),
    ToolName.IB_WRITE_LAT: ("rdma.pair.latency",),
}
"""What else a tool's output is asked."""
_limit = partial(typer.Option, rich_help_panel="Limits")
_how = partial(typer.Option, rich_help_panel="How")


def test(
    names: Annotated[
        str, typer.Argument(metavar="HOSTS", help="The hosts, as a hostlist: gpu-[001-032].")
    ],
    pattern: Annotated[
        Pattern, typer.Option(help="Who sends to whom; the page on testing says what finds what.")
    ] = Pattern.TOURNAMENT,
    tool: Annotated[
        ToolName, typer.Option(help="What moves bytes; pair needs Python alone.")
    ] = ToolName.PAIR,
    reduce: Annotated[
        Program | None,
        typer.Option(
            "--sharp",
            help="Instead of traffic of pairs: run this program with reductions in the network"
            " and without, and compare.",
        ),
    ] = None,
    run: Annotated[
        str,
        _how(
            "--run",
            metavar="COMMAND",
            help="Reach hosts by a command instead of Slurm: 'ssh {host} {shell}'.",
        ),
    ] = "",
    partition: Annotated[
        str,
        typer.Option("--partition", "-p", metavar="NAME", help="Of the job, and of its price."),
    ] = "",
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="Of the job.")] = "",
    job: Annotated[
        int | None,
        typer.Option("--job", metavar="ID", help="Use this job's nodes; it is left running."),
    ] = None,
    wait_minutes: Annotated[
        float,
        typer.Option(
            "--wait-minutes", metavar="MINUTES", help="How long the job may wait for its nodes."
        ),
    ] = 10.0,
    addresses: Annotated[
        Path | None,
        _how(
            "--addresses",
            metavar="FILE",
            help="Addresses to send to, in the form of /etc/hosts; HOST/RAIL for a rail's.",
        ),
    ] = None,
    rails: Annotated[
        list[str] | None,
        typer.Option("--rail", metavar="DEVICE", help="Test this adapter; may be repeated."),
    ] = None,
    topology: Annotated[
        Path | None,
        typer.Option("--topology", metavar="FILE", help="Topology file: hop classes, rates."),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", metavar="FILE", help="Cluster profile: prices.")
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option("--expect", metavar="FILE", help="What the site declares, as YAML."),
    ] = None,
    max_nodes: Annotated[
        int | None,
        _limit("--max-nodes", metavar="N", min=2, help="Most hosts."),
    ] = None,
    max_minutes: Annotated[
        float | None,
        _limit("--max-minutes", metavar="MINUTES", min=0.1, help="Most time."),
    ] = None,
    seconds: Annotated[
        float,
        _limit("--seconds", metavar="SECONDS", min=0.1, help="Longest transfer."),
    ] = 5.0,
    megabytes: Annotated[
        float,
        _limit("--megabytes", metavar="MB", min=0.01, help="Most of a transfer."),
    ] = 1000.0,
    effect: Annotated[
        float,
        typer.Option(
            "--effect",
            metavar="SHARE",
            min=0.02,
            max=0.9,
            help="Share of the rate whose loss is a fault.",
        ),
    ] = 0.1,
    noise: Annotated[
        float,
        typer.Option(
            "--noise",
            metavar="SHARE",
            min=0.001,
            max=0.5,
            help="Expected deviation of a measurement.",
        ),
    ] = 0.02,
    streams: Annotated[
        int,
        _how("--streams", metavar="N", min=1, max=64, help="Connections of a transfer."),
    ] = 1,
    connect_seconds: Annotated[
        float,
        _how(
            "--connect-seconds",
            metavar="SECONDS",
            min=0.5,
            help="How long one end waits for the other; longer where programs start slowly.",
        ),
    ] = 5.0,
    congestion: Annotated[
        str,
        _how(
            "--congestion",
            metavar="NAME",
            help="TCP's congestion control; bbr hides loss, cubic shows it.",
        ),
    ] = "",
    python: Annotated[
        str,
        _how(
            "--python", metavar="PROGRAM", help="Python on the hosts; with --run it has sunk_jobs."
        ),
    ] = "python3",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the order of hosts.")] = 0,
    folder: Annotated[
        Path,
        typer.Option("--folder", metavar="DIR", help="New folder for every output, as evidence."),
    ] = Path("fabric-test"),
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw the map into this file.")
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    output: OutputOption = Form.TABLE,
) -> None:
    """Send traffic between hosts, and name the host, link or cable that is slow or loses.

    Says first how many rounds, minutes, node-hours and how much money it takes at most, what of the
    network it covers, and how likely it finds a fault of the given size. What looks bad is tried
    again with partners that are good before it is called bad. Every output is kept in a folder that
    `sunk fabric check` reads.

    With --sharp one program runs on all hosts four times, with SHARP and without. The gain is
    judged at the sizes that its own log shows to have gone the one way and the other, and is
    UNKNOWN without such a log. GPUs of a host are those of --expect, or 8.

    Touches the hosts: it loads their links, through a Slurm job of its own or --run, and with Slurm
    a folder below ~/sunk-runs, for our programs while it runs: the hosts see it. Afterwards it
    looks on every host for what still runs of it, ends that, and says so; Ctrl-C and SIGTERM too.

    Exit codes: 0 fine; 1 a check failed; 2 a name, file or limit is wrong; 4 the hosts cannot be
    had; 5 nothing failed, and something is not known; 130 interrupted.

    For example:

    - `sunk fabric test gpu-[001-032] --dry-run`
    - `sunk fabric test gpu-[001-032] --tool ib_write_bw --rail mlx5_0 --topology hall.yaml`
    - `sunk fabric test gpu-[001-008] --sharp all_reduce_perf --expect site.yaml --dry-run`
    - `sunk fabric test h[1-8] --run 'ssh {host} {shell}' --congestion cubic --max-minutes 10`
    """
    how = tools.Settings(
        seconds=seconds,
        total_bytes=int(megabytes * 1e6),
        streams=streams,
        congestion=congestion,
        python=python,
        wait_seconds=connect_seconds,
    )
    reach = wiring.Reach(
        command=run,
        partition=partition,
        account=account,
        job=job,
        wait_minutes=wait_minutes,
        shared=None if run else runs_folder(None),
        known=dict if run else wiring.slurm_addresses,
    )
    price = _price(profile, partition)
    declared = folders.read_expected(expect) if expect else None
    if reduce is not None:
        compared = sharp.plan(
            sharp.SharpRequest(
                program=reduce,
                hosts=hosts.named(names)[:max_nodes],
                gpus_per_host=(declared.gpus_per_host if declared else None) or sharp.DEFAULT_GPUS,
                total_bytes=how.total_bytes,
                minutes=max_minutes or sharp.DEFAULT_MINUTES,
                python=python,
                price_per_node_hour=price.per_node_hour if price else None,
                currency=price.currency if price else "",
            )
        )
        _compare(compared, reach, how, folder, declared, output, dry_run=dry_run, yes=yes)
    made = planning.plan(
        planning.Request(
            pattern=pattern,
            layout=layout.layout_of(
                hosts.named(names),
                topologies.load_topology(topology) if topology else None,
                rails or (),
            ),
            seconds=seconds,
            setup_seconds=reach.setup_seconds,
            max_hosts=max_nodes,
            max_minutes=max_minutes,
            price_per_node_hour=price.per_node_hour if price else None,
            currency=price.currency if price else "",
            effect=effect,
            noise=noise,
            seed=seed,
        )
    )
    stated = statement.statement(made, tool, how)
    if dry_run:
        _show_plan(made, tool, stated, output)
        return
    where = hosts.read_addresses(addresses) if addresses else {}
    _ask(statement.lines(made, tool), output, yes=yes)
    with reporting() as reporter, step(reporter, "test") as current:
        held = wiring.run(made, reach, tool, how, where, folder, current.detail)
    say(session.cleanup_words(held.record.cleanup))
    findings = service.check(folder, declared, None, ("pair", *_RATED.get(tool, ())))
    maps = service.heat_maps(folder)
    if svg is not None:
        svg.write_text(heat.draw(maps))
    if output is Form.TABLE:
        for one in maps:
            print_map(one)
        fabric_findings.show_findings(findings, everything=False)
    else:
        show({"plan": stated, "folder": folder, **fabric_findings.document(findings)}, output)
    if held.interrupted:
        raise typer.Exit(exits.INTERRUPTED)
    raise typer.Exit(exit_code(one.verdict for one in findings))


def _ask(lines: Iterable[str], output: Form, *, yes: bool) -> None:
    """Say what would be done, and let people stop it."""
    for line in lines:
        say(line)
    if not yes and output is Form.TABLE and not typer.confirm("start?", default=True, err=True):
        raise typer.Exit(exits.INTERRUPTED)


def _compare(
    made: SharpPlan,
    reach: wiring.Reach,
    how: tools.Settings,
    folder: Path,
    declared: Expected | None,
    output: Form,
    *,
    dry_run: bool,
    yes: bool,
) -> NoReturn:
    if dry_run:
        fabric_sharp.show_plan(made, output)
        raise typer.Exit(exits.OK)
    _ask(sharp.lines(made), output, yes=yes)
    fabric_sharp.compare(made, reach, how.python, folder, declared, output)


def _show_plan(made: Plan, tool: ToolName, stated: Any, output: Form) -> None:
    if output is Form.TABLE:
        for line in statement.lines(made, tool):
            typer.echo(line)
    else:
        show(stated, output)


def _price(profile: Path | None, partition: str) -> Price | None:
    """Return what a node of the partition costs; of the only one when none is named."""
    if profile is None:
        return None
    prices = profiles.load_profile(profile)[1].prices
    fitting = [one for one in prices if one.partition == partition]
    if not partition and len(prices) == 1:
        fitting = list(prices)
    if partition and not fitting and prices:
        known = ", ".join(sorted(one.partition for one in prices))
        raise InputError(
            f"find the price of partition {partition!r} in {profile}: there is none",
            hint=f"prices are known of {known}",
        )
    return fitting[0] if fitting else None
