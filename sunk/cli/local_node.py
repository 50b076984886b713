"""``sunk local node``: power loss, power on, network cut and back, for one Kubernetes node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sunk.cli import complete
from sunk.cli.lazy import Later
from sunk.cli.options import (
    DEFAULT_CLUSTER,
    CacheOption,
    NameOption,
    StateOption,
    local_settings,
)
from sunk.cli.output import say
from sunk.cli.progress import reporting

if TYPE_CHECKING:
    from sunk.wiring import local as wiring
else:
    wiring = Later("sunk.wiring.local")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""Break and mend a Kubernetes node of a local cluster.

For example:

- `sunk local node kill node2`
- `sunk local node start node2`
""",
)

NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NODE",
        help="Kubernetes node: node1, node2, …",
        autocompletion=complete.cluster_nodes,
    ),
]


@app.command()
def kill(
    node: NodeArgument, name: NameOption = DEFAULT_CLUSTER, state_dir: StateOption = None
) -> None:
    """End every process of a node at once: a power loss.

    Its Pods die with it; what they had on claims stays. Slurm finds the node's workers DOWN after
    its SlurmdTimeout and requeues jobs that allow it.

    Exit codes: 0 it is off; 2 there is no such node or cluster; 3 it is off already.

    For example:

    - `sunk local node kill node2`
    """
    with reporting() as reporter:
        wiring.local_cluster(name, local_settings(state_dir), reporter).kill_node(node)
    say(f"{node} is off; power it on with: sunk local node start {node} --name {name}")


@app.command()
def start(
    node: NodeArgument,
    name: NameOption = DEFAULT_CLUSTER,
    state_dir: StateOption = None,
    cache_dir: CacheOption = None,
) -> None:
    """Power a node on again and wait until Kubernetes finds it ready.

    Its Pods come back under their names, a little later than the node. Builds first what the
    cache lacks.

    Exit codes: 0 it is ready; 2 there is no such node or cluster; 3 it is on already, or not ready
    in 60 s.

    For example:

    - `sunk local node start node2`
    """
    settings = local_settings(state_dir, cache_dir)
    with reporting() as reporter:
        wiring.start_node(name, node, settings, reporter)
    say(f"{node} is ready")


@app.command()
def cut(
    node: NodeArgument, name: NameOption = DEFAULT_CLUSTER, state_dir: StateOption = None
) -> None:
    """Cut a node off the network; its processes go on.

    Pulls the cable between the node and the cluster's bridge: nobody hears the node any more.

    Exit codes: 0 it is cut off; 2 there is no such node or cluster; 3 it is off.

    For example:

    - `sunk local node cut node2`
    """
    with reporting() as reporter:
        cluster = wiring.local_cluster(name, local_settings(state_dir), reporter)
        cluster.set_cable(node, connected=False)
    say(f"{node} is cut off; heal it with: sunk local node heal {node} --name {name}")


@app.command()
def heal(
    node: NodeArgument, name: NameOption = DEFAULT_CLUSTER, state_dir: StateOption = None
) -> None:
    """Connect a node to the network again.

    Plugs in the cable that `sunk local node cut` pulled; does no harm to a connected node.

    Exit codes: 0 it is connected; 2 there is no such node or cluster; 3 it is off.

    For example:

    - `sunk local node heal node2`
    """
    with reporting() as reporter:
        cluster = wiring.local_cluster(name, local_settings(state_dir), reporter)
        cluster.set_cable(node, connected=True)
    say(f"{node} is connected")
