"""The order of ranks that keeps neighbours close: depth first through the groups of nodes; pure.

A ring over nodes in this order leaves each group of nodes exactly once per round, at every level
at once. That is the least possible, because a group with members inside and outside has to be left
at least once. Job programs and `sunk` share this module, so what is planned in one place and
checked in the other is the same order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sunk_jobs.placement.slurm_topology import SlurmTopology

_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class Group:
    """Nodes that are closer to each other than to the rest.

    Attributes:
        name: a switch, a block, an NVLink domain.
        kind: which of them: ``switch``, ``block``, ``nvlink``.
        level: 0 where the nodes are, 1 above, and so on.
        nodes: the nodes that are in no smaller group.
        groups: the smaller groups in it.
    """

    name: str
    kind: str
    level: int
    nodes: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()

    def members(self) -> Iterator[str]:
        """Yield every node in it, smaller groups first, all in natural order."""
        for group in sorted(self.groups, key=lambda one: natural(one.name)):
            yield from group.members()
        yield from sorted(self.nodes, key=natural)

    def walk(self) -> Iterator[Group]:
        """Yield it and every group in it, larger before smaller."""
        yield self
        for group in sorted(self.groups, key=lambda one: natural(one.name)):
            yield from group.walk()


NaturalKey = tuple[tuple[tuple[int, str], ...], str]


def natural(name: str) -> NaturalKey:
    """Return a sort key that counts numbers as numbers: w-2 before w-10, w-01 beside w-1."""
    # Splitting at a group gives text and digits in turns, so that like is compared with like.
    # Of two numbers without leading zeros the longer is the larger, however long they are.
    parts = enumerate(_DIGITS.split(name))
    return tuple(_number(part) if at % 2 else (0, part) for at, part in parts), name


def _number(digits: str) -> tuple[int, str]:
    significant = digits.lstrip("0")
    return len(significant), significant


def depth_first(groups: Iterable[Group], wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return nodes in the order of their ranks, and those that no group holds.

    Args:
        groups: the largest groups; no node in two of them.
        wanted: the nodes of a job, in any order.

    Returns:
        The wanted nodes that are in a group, depth first, names in natural order; and the others,
        in natural order.
    """
    left = set(wanted)
    order: list[str] = []
    for group in sorted(groups, key=lambda one: natural(one.name)):
        found = [node for node in group.members() if node in left]
        order += found
        left.difference_update(found)
    return order, sorted(left, key=natural)


def groups_of(topology: SlurmTopology) -> tuple[Group, ...]:
    """Return the largest groups that a topology of Slurm makes.

    With switches and blocks in one text the blocks are left out: Slurm itself never prints both.
    """
    if not topology.switches:
        return tuple(Group(block.name, "block", 0, block.nodes) for block in topology.blocks)
    made: dict[str, Group] = {}
    below: set[str] = set()
    for switch in sorted(topology.switches, key=lambda one: one.level):
        inside = tuple(made[name] for name in switch.switches)
        below.update(switch.switches)
        made[switch.name] = Group(switch.name, "switch", switch.level, switch.nodes, inside)
    return tuple(group for name, group in made.items() if name not in below)


def ring_exits(order: Sequence[str], place: Callable[[str], str]) -> dict[str, int]:
    """Return how often a ring over nodes leaves each place, for places that it leaves.

    Args:
        order: the nodes in the order of their ranks; the last is followed by the first.
        place: where a node is, at one level; each node is in one place.
    """
    exits: dict[str, int] = {}
    for at, node in enumerate(order):
        here, there = place(node), place(order[(at + 1) % len(order)])
        if here != there:
            exits[here] = exits.get(here, 0) + 1
    return exits
