"""What a topology must keep to be one at all: names, ends of links, tiers; pure."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.model.topology import Link, Topology
from sunk.render.problem import Problem
from sunk.render.strict_file import NAME_ALLOWED, is_name


def problems(topology: Topology) -> Iterator[Problem]:
    """Yield the faults of a topology, each with the list and the name that it is about."""
    yield from _names(topology)
    yield from _links(topology)
    yield from _domains(topology)
    yield from _numbers(topology)


def _names(topology: Topology) -> Iterator[Problem]:
    known: set[str] = set()
    for where, name in (
        *(("nodes", node.name) for node in topology.nodes),
        *(("switches", switch.name) for switch in topology.switches),
    ):
        if name in known:
            yield Problem(path=(where, "name"), value=name, allowed="each name once")
        known.add(name)
    for key in ("slurm_name", "kubernetes_name"):
        seen: set[str] = set()
        for node in topology.nodes:
            name = getattr(node, key)
            if name is not None and name in seen:
                spelled = "slurmName" if key == "slurm_name" else "kubernetesName"
                yield Problem(path=("nodes", spelled), value=name, allowed="each name once")
            seen.add(name)
    for node in topology.nodes:
        if node.gpus is not None and not 0 <= node.gpus <= 1024:
            yield Problem(path=("nodes", "gpus"), value=node.gpus, allowed="0 to 1024")


def _links(topology: Topology) -> Iterator[Problem]:
    tiers = {switch.name: switch.tier for switch in topology.switches}
    nodes = {node.name for node in topology.nodes}
    rails = {rail.index for rail in topology.rails}
    seen: set[tuple[str, str, int | None]] = set()
    for link in topology.links:
        if link.upper not in tiers:
            allowed = "the name of a switch in this file"
            yield Problem(path=("links", "upper"), value=link.upper, allowed=allowed)
        elif link.lower in tiers and tiers[link.lower] >= tiers[link.upper]:
            allowed = f"a node, or a switch of a tier below that of {link.upper}"
            yield Problem(path=("links", "lower"), value=link.lower, allowed=allowed)
        elif link.lower not in tiers and link.lower not in nodes:
            allowed = "the name of a node or switch in this file"
            yield Problem(path=("links", "lower"), value=link.lower, allowed=allowed)
        key = (link.lower, link.upper, link.rail)
        if key in seen:
            between = f"{link.lower} to {link.upper}"
            yield Problem(path=("links",), value=between, allowed="each pair once; use count")
        seen.add(key)
        yield from _link(link, nodes, rails)


def _link(link: Link, nodes: set[str], rails: set[int]) -> Iterator[Problem]:
    if link.count is not None and not 1 <= link.count <= 4096:
        yield Problem(path=("links", "count"), value=link.count, allowed="1 to 4096")
    rate = link.rate_gbit_per_s
    if rate is not None and not 0 < rate <= 1e6:
        allowed = "above 0, up to 1000000"
        yield Problem(path=("links", "rateGbitPerS"), value=rate, allowed=allowed)
    if link.rail is not None and link.lower not in nodes:
        allowed = "nothing for a link between switches"
        yield Problem(path=("links", "rail"), value=link.rail, allowed=allowed)
    if link.rail is not None and rails and link.rail not in rails:
        allowed = f"the index of a rail in this file: {', '.join(map(str, sorted(rails)))}"
        yield Problem(path=("links", "rail"), value=link.rail, allowed=allowed)


def _domains(topology: Topology) -> Iterator[Problem]:
    nodes = {node.name for node in topology.nodes}
    names: set[str] = set()
    taken: set[str] = set()
    for domain in topology.nvlink_domains:
        if domain.name in names or not is_name(domain.name):
            allowed = f"each name once; {NAME_ALLOWED}"
            yield Problem(path=("nvlinkDomains", "name"), value=domain.name, allowed=allowed)
        names.add(domain.name)
        for node in domain.nodes:
            if node not in nodes:
                allowed = "names of nodes in this file"
                yield Problem(path=("nvlinkDomains", "nodes"), value=node, allowed=allowed)
            if node in taken:
                allowed = "each node in one domain, once"
                yield Problem(path=("nvlinkDomains", "nodes"), value=node, allowed=allowed)
            taken.add(node)
        rate = domain.gb_per_s_per_gpu
        if rate is not None and not 0 < rate <= 1e5:
            where = ("nvlinkDomains", "gbPerSPerGpu")
            yield Problem(path=where, value=rate, allowed="above 0, up to 100000")


def _numbers(topology: Topology) -> Iterator[Problem]:
    indices = [rail.index for rail in topology.rails]
    for at, index in enumerate(indices):
        if not 0 <= index <= 255 or index in indices[:at]:
            yield Problem(path=("rails", "index"), value=index, allowed="0 to 255, each once")
    for at, size in enumerate(topology.block_sizes):
        if size < 1 or size in topology.block_sizes[:at]:
            yield Problem(path=("blockSizes",), value=size, allowed="numbers above 0, each once")
