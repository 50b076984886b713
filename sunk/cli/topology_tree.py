"""A topology as a tree for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from sunk.model.hostlist import fold
from sunk.model.topology import Topology
from sunk.plan.fabric import NVLINK, SWITCH, Fabric, fabric
from sunk_jobs.placement.ordering import Group, natural


def draw(topology: Topology) -> None:
    """Print places, larger before smaller, and the nodes in them as hostlists."""
    places = fabric(topology)
    count = len(topology.nodes)
    top = Tree(f"[bold]{topology.name}[/]  {count} node{'' if count == 1 else 's'}")
    for group in places.groups:
        _branch(top, group, places)
    placed = {node for group in places.groups for node in group.members()}
    if loose := [node.name for node in topology.nodes if node.name not in placed]:
        top.add(f"[yellow]on no switch[/]  {escape(fold(loose))}")
    console = Console()
    # A pipe has no width: never fold or cut what another program will read.
    (console if console.is_terminal else Console(width=10_000)).print(top, highlight=False)


def _branch(above: Tree, group: Group, places: Fabric) -> None:
    kind = "NVLink domain" if group.kind == NVLINK else f"tier {group.level}"
    ratio = places.oversubscription.get(group.name) if group.kind == SWITCH else None
    note = "" if ratio is None else f", oversubscription {ratio:.2f}"
    nodes = f"  {escape(fold(group.nodes))}" if group.nodes else ""
    here = above.add(f"[bold]{group.name}[/] ({kind}{note}){nodes}")
    for one in sorted(group.groups, key=lambda each: natural(each.name)):
        _branch(here, one, places)
