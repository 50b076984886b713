"""Slurm's topology files from a topology, and a topology from what Slurm says; pure.

Three forms are written: topology.conf for topology/tree and for topology/block, and topology.yaml,
which holds both and which Slurm reads from 25.05 on. Leaves stand in depth-first order, because
Slurm ranks nodes by the place of their leaf in the file alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.hostlist import fold
from sunk.model.topology import (
    Link,
    NvlinkDomain,
    Provenance,
    SlurmForm,
    Switch,
    Topology,
    TopologyNode,
)
from sunk.plan.fabric import fabric
from sunk.render.plain_yaml import dump_documents
from sunk.render.topology import ordered
from sunk_jobs.placement import slurm_topology
from sunk_jobs.placement.ordering import Group, natural

SWITCH_NAME_MAX = 64
"""Longest name of a switch or block; topology.yaml(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSwitch:
    """One switch of Slurm's tree: with nodes, or with switches below it.

    Attributes:
        name: SwitchName.
        level: 0 with nodes, 1 above, and so on.
        nodes: NodeNames.
        switches: names of the switches below it.
    """

    name: str
    level: int
    nodes: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


def render_slurm(topology: Topology, form: SlurmForm) -> str:
    """Return one of Slurm's topology files.

    Nodes without a name in Slurm are left out; `sunk.render.topology_checks` names them.

    Raises:
        InputError: the topology has no switches (tree), no NVLink domains (block), neither (yaml),
            or nodes beside switches on one switch, which Slurm has no words for.
    """
    match form:
        case SlurmForm.TREE:
            return _head(topology) + "".join(f"{_tree_line(one)}\n" for one in tree(topology))
        case SlurmForm.BLOCK:
            return _head(topology) + "".join(f"{line}\n" for line in _block_lines(topology))
        case SlurmForm.YAML:
            return _head(topology) + _yaml(topology)


def tree(topology: Topology) -> tuple[TreeSwitch, ...]:
    """Return Slurm's tree: leaves first, all in depth-first order.

    Raises:
        InputError: the topology has no switches, or a switch has nodes and switches below it.
    """
    if not topology.switches:
        raise InputError(
            f"write topology {topology.name} as a tree: it has no switches",
            hint="sunk topology render FILE --form block (for its NVLink domains)",
        )
    names = _slurm_names(topology)
    places = fabric(topology, nvlink=False).walk()
    found = [_tree_switch(group, names, topology.name) for group in places]
    return tuple(sorted(found, key=lambda one: one.level))


def _tree_switch(group: Group, names: dict[str, str], topology: str) -> TreeSwitch:
    nodes = tuple(names[one] for one in sorted(group.nodes, key=natural) if one in names)
    if nodes and group.groups:
        raise InputError(
            f"write topology {topology} as a tree: switch {group.name} has nodes "
            f"({fold(nodes)}) beside switches below it, and Slurm takes one or the other",
            hint="attach these nodes to a leaf, or leave them out",
        )
    below = tuple(sorted((one.name for one in group.groups), key=natural))
    return TreeSwitch(name=group.name, level=group.level, nodes=nodes, switches=below)


def blocks(topology: Topology) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return Slurm's blocks: name and NodeNames, in natural order."""
    names = _slurm_names(topology)
    return tuple(
        (domain.name, tuple(names[one] for one in domain.nodes if one in names))
        for domain in topology.nvlink_domains
    )


def _slurm_names(topology: Topology) -> dict[str, str]:
    return {one.name: one.slurm_name for one in topology.nodes if one.slurm_name is not None}


def _head(topology: Topology) -> str:
    return f"# Written by sunk from topology {topology.name}; changes here are lost.\n"


def _tree_line(switch: TreeSwitch) -> str:
    nodes = f" Nodes={fold(switch.nodes)}" if switch.nodes else ""
    switches = f" Switches={fold(switch.switches)}" if switch.switches else ""
    return f"SwitchName={switch.name}{nodes}{switches}"


def _block_lines(topology: Topology) -> Iterator[str]:
    _require_domains(topology)
    for name, nodes in blocks(topology):
        yield f"BlockName={name}" + (f" Nodes={fold(nodes)}" if nodes else "")
    if topology.block_sizes:
        yield f"BlockSizes={','.join(map(str, topology.block_sizes))}"


def _require_domains(topology: Topology) -> None:
    if not topology.nvlink_domains:
        raise InputError(
            f"write topology {topology.name} as blocks: it has no NVLink domains",
            hint="sunk topology render FILE --form tree (for its switches)",
        )


def _yaml(topology: Topology) -> str:
    parts: list[dict[str, object]] = []
    if topology.switches:
        switches = [_yaml_switch(one) for one in tree(topology)]
        parts.append({"topology": "tree", "tree": {"switches": switches}})
    if topology.nvlink_domains or not topology.switches:
        _require_domains(topology)
        described = [
            {"block": name, **({"nodes": fold(nodes)} if nodes else {})}
            for name, nodes in blocks(topology)
        ]
        sizes = {"block_sizes": list(topology.block_sizes)} if topology.block_sizes else {}
        parts.append({"topology": "block", "block": {**sizes, "blocks": described}})
    for at, part in enumerate(parts):
        # Slurm wants the key `topology` first.
        parts[at] = {"topology": part.pop("topology"), "cluster_default": at == 0, **part}
    return dump_documents([parts])


def _yaml_switch(switch: TreeSwitch) -> dict[str, str]:
    nodes = {"nodes": fold(switch.nodes)} if switch.nodes else {}
    children = {"children": fold(switch.switches)} if switch.switches else {}
    return {"switch": switch.name, **nodes, **children}


def read_slurm(
    text: str, *, source: str, name: str, who: str | None = None, when: str | None = None
) -> Topology:
    """Return the topology that a text of Slurm describes.

    A block becomes an NVLink domain, as blocks are made for those. How many cables there are and
    how fast they are is not known to Slurm, and not known here either.

    Args:
        text: topology.conf, or what ``scontrol show topology`` printed.
        source: where the text comes from, for messages and provenance.
        name: of the topology.
        who: who read it, for provenance.
        when: RFC 3339 time of reading, for provenance.

    Raises:
        InputError: a line is not understood, or the whole makes no topology.
    """
    try:
        said = slurm_topology.read(text)
    except slurm_topology.TopologyTextError as exc:
        raise InputError(
            f"read {source}: {exc}",
            hint="wanted: topology.conf, or the output of scontrol show topology",
        ) from exc
    if not said.switches and not said.blocks:
        raise InputError(
            f"read {source}: no switch and no block in it",
            hint="topology/flat has no topology: scontrol show config names the plugin",
        )
    on_switches = {node for switch in said.switches for node in switch.nodes}
    nodes = on_switches | {node for block in said.blocks for node in block.nodes}
    if both := sorted(nodes & {switch.name for switch in said.switches}):
        raise InputError(f"read {source}: {both[0]} is a node and a switch", hint="rename one")
    links = [(lower, one) for one in said.switches for lower in (*one.nodes, *one.switches)]
    return ordered(
        Topology(
            name=name,
            nodes=tuple(TopologyNode(name=node, slurm_name=node) for node in nodes),
            switches=tuple(Switch(name=one.name, tier=one.level) for one in said.switches),
            links=tuple(Link(lower=lower, upper=one.name) for lower, one in links),
            nvlink_domains=tuple(
                NvlinkDomain(name=block.name, nodes=block.nodes) for block in said.blocks
            ),
            block_sizes=said.block_sizes,
            provenance=(Provenance(what="places of nodes", source=source, who=who, when=when),),
        )
    )
