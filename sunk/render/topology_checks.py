"""Whether a topology will do for Slurm and for ordering ranks: findings, not errors; pure.

A file can be a topology and still be one with which slurmctld does not start, or with which a job
never spans two leaves.
"""

from __future__ import annotations

from collections.abc import Iterable

from sunk.assess.verdict import Finding, Verdict
from sunk.model.hostlist import fold
from sunk.model.topology import Topology
from sunk.plan.fabric import fabric
from sunk.render.topology_slurm import SWITCH_NAME_MAX, blocks

SHOWN_MAX = 5


def findings(topology: Topology) -> tuple[Finding, ...]:
    """Return one answer for each check, in a fixed order; those that do not apply are SKIP."""
    return (
        _named_in_slurm(topology),
        _placed(topology),
        _one_root(topology),
        _leaves_only(topology),
        _lengths(topology),
        _block_sizes(topology),
        _full_blocks(topology),
        _rails(topology),
        _rates(topology),
    )


def _answer(check: str, wrong: str, verdict: Verdict, fine: str, remedy: str = "") -> Finding:
    if not wrong:
        return Finding(check=check, verdict=Verdict.PASS, found=fine)
    return Finding(check=check, verdict=verdict, found=wrong, remedy=remedy)


def _skip(check: str, why: str) -> Finding:
    return Finding(check=check, verdict=Verdict.SKIP, found=why)


def _named_in_slurm(topology: Topology) -> Finding:
    nameless = [node.name for node in topology.nodes if node.slurm_name is None]
    return _answer(
        "topology.nodes.slurm_name",
        f"no name in Slurm is known for {fold(nameless)}" if nameless else "",
        Verdict.WARN,
        f"{len(topology.nodes)} nodes, each with its name in Slurm",
        "add slurmName; without it a node is left out of Slurm's files",
    )


def _placed(topology: Topology) -> Finding:
    check = "topology.nodes.placed"
    if not topology.switches:
        return _skip(check, "no switches")
    attached = {link.lower for link in topology.links}
    loose = [node.name for node in topology.nodes if node.name not in attached]
    return _answer(
        check,
        f"on no switch: {fold(loose)}" if loose else "",
        Verdict.FAIL,
        "every node is on a switch",
        "add their links; with topology/tree no job that Slurm places can use these nodes",
    )


def _one_root(topology: Topology) -> Finding:
    check = "topology.tree.one_root"
    if not topology.switches:
        return _skip(check, "no switches")
    roots = [group.name for group in fabric(topology, nvlink=False).groups]
    return _answer(
        check,
        f"{len(roots)} parts that nothing connects: {_some(roots)}" if len(roots) > 1 else "",
        Verdict.WARN,
        f"everything is below {roots[0]}",
        "add the switch above them; until then no job spans two parts",
    )


def _leaves_only(topology: Topology) -> Finding:
    check = "topology.tree.nodes_on_leaves"
    if not topology.switches:
        return _skip(check, "no switches")
    mixed = [
        f"{group.name} ({fold(group.nodes)})"
        for group in fabric(topology, nvlink=False).walk()
        if group.nodes and group.groups
    ]
    return _answer(
        check,
        f"nodes beside switches below {_some(mixed)}" if mixed else "",
        Verdict.FAIL,
        "nodes are on leaves only",
        "attach these nodes to a leaf; Slurm's tree has no words for this",
    )


def _lengths(topology: Topology) -> Finding:
    names = [one.name for one in topology.switches]
    names += [one.name for one in topology.nvlink_domains]
    long = [name for name in names if len(name) > SWITCH_NAME_MAX]
    return _answer(
        "topology.names.length",
        f"longer than {SWITCH_NAME_MAX} characters: {_some(long)}" if long else "",
        Verdict.FAIL,
        f"{len(names)} names of at most {SWITCH_NAME_MAX} characters",
        "shorten them; Slurm refuses longer ones",
    )


def _block_sizes(topology: Topology) -> Finding:
    check, sizes = "topology.block.sizes", topology.block_sizes
    if not sizes:
        return _skip(check, "no block sizes")
    wrong = [size for size in sizes if not _is_step(size, sizes[0])]
    return _answer(
        check,
        f"{', '.join(map(str, wrong))}: no power of two times {sizes[0]}" if wrong else "",
        Verdict.FAIL,
        f"each a power of two times {sizes[0]}",
        "give sizes such as 18, 36, 72; slurmctld does not start with others",
    )


def _is_step(size: int, base: int) -> bool:
    times, rest = divmod(size, base)
    return rest == 0 and times & (times - 1) == 0


def _full_blocks(topology: Topology) -> Finding:
    check = "topology.block.full"
    if not topology.nvlink_domains:
        return _skip(check, "no NVLink domains")
    if not topology.block_sizes:
        return _skip(check, "no block sizes: Slurm takes the smallest block's")
    base = topology.block_sizes[0]
    small = [f"{name} has {len(nodes)}" for name, nodes in blocks(topology) if len(nodes) < base]
    return _answer(
        check,
        f"fewer nodes than the base size {base}: {_some(small)}" if small else "",
        Verdict.FAIL,
        f"each block has at least {base} nodes",
        "lower the base size or leave the block out; slurmctld does not start with it",
    )


def _rails(topology: Topology) -> Finding:
    check = "topology.rails.complete"
    indices = [rail.index for rail in topology.rails]
    if not indices:
        return _skip(check, "no rails")
    seen = {(link.lower, link.rail) for link in topology.links}
    lacking = [
        f"{node.name} lacks {', '.join(str(one) for one in missing)}"
        for node in topology.nodes
        if (missing := [one for one in indices if (node.name, one) not in seen])
    ]
    return _answer(
        check,
        f"nodes without a link on a rail: {_some(lacking)}" if lacking else "",
        Verdict.WARN,
        f"every node has a link on each of {len(indices)} rails",
        "look at their cables and ports",
    )


def _rates(topology: Topology) -> Finding:
    check = "topology.links.rates"
    if not topology.links:
        return _skip(check, "no links")
    blank = sum(1 for link in topology.links if link.gb_per_s is None)
    ratios = fabric(topology).oversubscription.items()
    spoken = _some(f"{name} {ratio:.2f}" for name, ratio in ratios)
    return _answer(
        check,
        f"count or rate of {blank} of {len(topology.links)} links is not known" if blank else "",
        Verdict.WARN,
        f"all known; oversubscription: {spoken or 'none, as nothing is above'}",
        "add count and rateGbitPerS; without them nothing is known about oversubscription",
    )


def _some(items: Iterable[str]) -> str:
    found = list(items)
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return ", ".join(found[:SHOWN_MAX]) + more
