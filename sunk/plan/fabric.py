"""The tree of places that a network makes, and how much room there is between them; pure.

A network is not a tree: a node hangs on one leaf for each of its rails, and every leaf on every
spine. Places are: two nodes are in one place of tier t when switches up to tier t connect them. The
eight leaves of a rail-optimised unit so become one place, and of a network that is a tree each
switch becomes its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sunk.model.topology import NO_TIER, Link, Topology
from sunk_jobs.placement.ordering import Group, natural

SWITCH = "switch"
NVLINK = "nvlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """Places of a network.

    Attributes:
        groups: the largest places. A place of several switches is named after the first of them.
        oversubscription: bytes that the nodes of a place can send, divided by what leaves it at
            once; for places of switches that links leave, where counts and rates are known.
    """

    groups: tuple[Group, ...]
    oversubscription: Mapping[str, float] = field(default_factory=dict)

    def walk(self) -> Iterator[Group]:
        """Yield every place, larger before smaller."""
        for group in self.groups:
            yield from group.walk()


class _Joined:
    """Sets that grow together (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def root(self, item: Hashable) -> Hashable:
        path = []
        while (parent := self._parent.get(item, item)) != item:
            path.append(item)
            item = parent
        for one in path:
            self._parent[one] = item
        return item

    def join(self, left: Hashable, right: Hashable) -> None:
        self._parent[self.root(left)] = self.root(right)


def fabric(topology: Topology, *, nvlink: bool = True) -> Fabric:
    """Return the places of a network, nodes by their names in the topology.

    Args:
        topology: valid.
        nvlink: whether NVLink domains are places too, the smallest. Leaves that share a domain
            then are one place.
    """
    builder = _Builder(topology)
    if nvlink:
        builder.join_domains()
    for tier in sorted({switch.tier for switch in topology.switches}):
        builder.join_tier(tier)
    groups = builder.largest()
    return Fabric(groups=groups, oversubscription=_oversubscription(topology, builder))


class _Builder:
    """Places from the smallest to the largest."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._joined = _Joined()
        self._tier = {switch.name: switch.tier for switch in topology.switches}
        # What stands for each set of joined things so far: a place, or a single node.
        self._places: dict[Hashable, Group | str] = {
            node.name: node.name for node in topology.nodes
        }
        self.switches: dict[str, tuple[str, ...]] = {}
        """The switches in each place, those of smaller places included."""

    def join_domains(self) -> None:
        for domain in self._topology.nvlink_domains:
            for node in domain.nodes[1:]:
                self._joined.join(node, domain.nodes[0])
            for node in domain.nodes:
                self._places.pop(node)
            root = self._joined.root(domain.nodes[0])
            self._places[root] = Group(domain.name, NVLINK, NO_TIER, domain.nodes)

    def join_tier(self, tier: int) -> None:
        """Let the switches of one tier join what hangs on them."""
        found: dict[Hashable, list[Group | str]] = {}
        before = list(self._places.items())
        for link in self._topology.links:
            if self._tier[link.upper] == tier:
                self._joined.join(link.lower, link.upper)
        switches: dict[Hashable, list[str]] = {}
        for name, its_tier in self._tier.items():
            if its_tier == tier:
                switches.setdefault(self._joined.root(name), []).append(name)
        for root, place in before:
            found.setdefault(self._joined.root(root), []).append(place)
        self._places = {}
        for root in dict.fromkeys((*found, *switches)):
            parts = found.get(root, [])
            self._places[root] = (
                self._place(tier, switches[root], parts) if root in switches else parts[0]
            )

    def _place(self, tier: int, switches: list[str], parts: list[Group | str]) -> Group:
        name = min(switches, key=natural)
        groups = tuple(part for part in parts if isinstance(part, Group))
        nodes = tuple(part for part in parts if isinstance(part, str))
        inside = (one for part in groups if part.kind == SWITCH for one in self.switches[part.name])
        self.switches[name] = (*inside, *switches)
        return Group(name, SWITCH, tier, nodes, groups)

    def largest(self) -> tuple[Group, ...]:
        found = [place for place in self._places.values() if isinstance(place, Group)]
        return tuple(sorted(found, key=lambda group: natural(group.name)))


def _oversubscription(topology: Topology, builder: _Builder) -> dict[str, float]:
    nodes = {node.name for node in topology.nodes}
    above: dict[str, list[Link]] = {}
    from_nodes: dict[str, list[Link]] = {}
    for link in topology.links:
        above.setdefault(link.lower, []).append(link)
        if link.lower in nodes:
            from_nodes.setdefault(link.upper, []).append(link)
    found = {}
    for name, switches in sorted(builder.switches.items(), key=lambda pair: natural(pair[0])):
        inside = set(switches)
        leaving = (
            link for one in switches for link in above.get(one, ()) if link.upper not in inside
        )
        down = _total(link for one in switches for link in from_nodes.get(one, ()))
        up = _total(leaving)
        if up and down is not None:
            found[name] = down / up
    return found


def _total(links: Iterable[Link]) -> float | None:
    rates = [link.gb_per_s for link in links]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if len(known) == len(rates) else None
