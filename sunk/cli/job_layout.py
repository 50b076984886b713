"""``sunk job layout``: which layouts of a model are possible, and which is the fastest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sunk.cli import exits
from sunk.cli.lazy import Later
from sunk.cli.output import Form, OutputOption, plain, say, show
from sunk.errors import InputError
from sunk.model.training import Machines

if TYPE_CHECKING:
    from sunk.model import hostlist
    from sunk.plan import layout as planner
    from sunk.plan import rank_order, slowdown
    from sunk.render import topology as topologies
    from sunk.render import training
else:
    hostlist = Later("sunk.model.hostlist")
    planner = Later("sunk.plan.layout")
    rank_order = Later("sunk.plan.rank_order")
    slowdown = Later("sunk.plan.slowdown")
    topologies = Later("sunk.render.topology")
    training = Later("sunk.render.training")


def layout(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The model, YAML or JSON.")],
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", help="Nodes of the job.")],
    gpus_per_node: Annotated[
        int, typer.Option("--gpus-per-node", metavar="N", help="GPUs of each.")
    ] = 8,
    gpu_memory_gib: Annotated[
        float, typer.Option("--gpu-memory-gib", metavar="GIB", help="Memory of a GPU.")
    ] = 80.0,
    gpu_tflops: Annotated[
        float,
        typer.Option("--gpu-tflops", metavar="T", help="Dense bf16 peak of a GPU, in Tflop/s."),
    ] = 989.0,
    network_gb_per_s: Annotated[
        float,
        typer.Option(
            "--network-gb-per-s",
            metavar="GB/S",
            help="A GPU's share of the network adapters, per direction.",
        ),
    ] = 50.0,
    nvlink_gb_per_s: Annotated[
        float,
        typer.Option("--nvlink-gb-per-s", metavar="GB/S", help="A GPU's NVLink, per direction."),
    ] = 450.0,
    nvlink_domain_gpus: Annotated[
        int | None,
        typer.Option(
            "--nvlink-domain-gpus",
            metavar="N",
            help="GPUs that reach each other over NVLink; those of a node when absent.",
        ),
    ] = None,
    topology: Annotated[
        Path | None,
        typer.Option(
            "--topology", metavar="FILE", help="Topology file, for what oversubscribed places cost."
        ),
    ] = None,
    nodelist: Annotated[
        str | None,
        typer.Option("--nodelist", metavar="HOSTLIST", help="The job's nodes in that topology."),
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="N", help="How many to print.")] = 5,
    output: OutputOption = Form.TABLE,
) -> None:
    """Rank the ways to spread a model over GPUs: TP, CP, EP, PP and DP.

    Every layout is tried; those that break a rule are counted below the table, with the rule. The
    others are ranked by the expected time of a step: an estimate for choosing, from the cost model
    of collectives. The defaults are those of an H100 node with eight 400 Gbit/s adapters. With
    `--topology` and `--nodelist` oversubscribed leaves count. Changes nothing.

    Exit codes: 0 printed; 1 no layout is possible; 2 the model, the topology or a number is wrong.

    For example:

    - `sunk job layout model.yaml --nodes 8`
    - `sunk job layout model.yaml --nodes 18 --gpus-per-node 4 --nvlink-domain-gpus 72`
    - `sunk job layout model.yaml --nodes 4 --topology topology.yaml --nodelist 'gpu-[1-4]'`
    """
    model = training.load_model(file)
    crossing, placement = _factors(topology, nodelist, nodes)
    machines = Machines(
        nodes=nodes,
        gpus_per_node=gpus_per_node,
        gpu_memory_gib=gpu_memory_gib,
        gpu_tflop_per_s=gpu_tflops,
        network_gb_per_s=network_gb_per_s,
        nvlink_gb_per_s=nvlink_gb_per_s,
        nvlink_domain_gpus=nvlink_domain_gpus,
        crossing_factor=crossing,
        placement_factor=placement,
    )
    plan = planner.plan_layouts(model, machines)
    if output is Form.TABLE:
        _print(plan, top)
    else:
        ranked = [plain(one) | {"step_seconds": one.step.total} for one in plan.ranked[:top]]
        show({"ranked": ranked, "rejected": plain(plan.rejected)}, output)
    raise typer.Exit(exits.OK if plan.ranked else exits.FAILED_CHECK)


def _factors(topology: Path | None, nodelist: str | None, nodes: int) -> tuple[float, float]:
    if topology is None and nodelist is None:
        return 1.0, 1.0
    if topology is None or nodelist is None:
        raise InputError("read the job's places: --topology and --nodelist go together")
    names = hostlist.expand(nodelist)
    if len(names) != nodes:
        raise InputError(f"read --nodelist {nodelist}: {len(names)} nodes, but --nodes is {nodes}")
    network = topologies.load_topology(topology)
    order = rank_order.plan_ranks(network, names, 1).ranks.order()
    found = slowdown.slowdown(network, order)
    return found.crossing, found.placement


def _print(plan: Any, top: int) -> None:
    rows = [
        {
            "layout": str(one.layout),
            "step_seconds": f"{one.step.total:.3g}",
            "tokens_per_s": f"{one.tokens_per_s:.0f}",
            "memory_gib": f"{one.memory_gib:.1f}",
            "segment_nodes": one.segment_nodes,
            "reasons": "; ".join(one.reasons),
        }
        for one in plan.ranked[:top]
    ]
    if rows:
        show(rows, Form.TABLE)
    possible, impossible = len(plan.ranked), sum(one.count for one in plan.rejected)
    say(f"\n{possible} layouts are possible, {impossible} are not:")
    for one in plan.rejected:
        say(f"  {one.count} break: {one.rule} ({one.example})")
