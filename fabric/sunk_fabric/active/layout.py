"""Where hosts are in the network, as far as somebody said; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sunk.model.topology import NO_TIER, Link, Topology
from sunk_jobs.placement.ordering import natural

NO_RAIL = ""
UNKNOWN_HOP = NO_TIER
"""Hop class of pairs that nobody knows the way between."""


@dataclass(frozen=True)
class Layout:
    """Hosts with their places.

    Attributes:
        hosts: in the order of the network: by leaf where leaves are known, then by name.
        rails: names of the adapters that are tested; one empty name without a choice.
        leaf_of: host and rail -> leaf; those that nobody knows are absent.
        above: leaf -> switches that its packets can climb to, by tier from the leaf's own on.
        uplinks: leaf -> cables that leave it upwards; absent when not known.
        rate_gbit_per_s: host and rail -> rate of its own link; absent when not known.
    """

    hosts: tuple[str, ...]
    rails: tuple[str, ...] = (NO_RAIL,)
    leaf_of: Mapping[tuple[str, str], str] = field(default_factory=dict)
    above: Mapping[str, tuple[frozenset[str], ...]] = field(default_factory=dict)
    uplinks: Mapping[str, int] = field(default_factory=dict)
    rate_gbit_per_s: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def hop(self, sender: str, receiver: str, rail: str = NO_RAIL) -> int:
        """Return the tier of the lowest switch that both ends reach; -1 when not known."""
        here, there = self.leaf_of.get((sender, rail)), self.leaf_of.get((receiver, rail))
        if here is None or there is None:
            return UNKNOWN_HOP
        if (here, there) not in self._hops:
            self._hops[here, there] = self._meeting(here, there)
        return self._hops[here, there]

    def crosses(self, sender: str, receiver: str, rail: str = NO_RAIL) -> bool:
        """Return whether a flow is known to leave its leaf upwards."""
        return self.hop(sender, receiver, rail) > 0

    @cached_property
    def _hops(self) -> dict[tuple[str, str], int]:
        return {}

    def _meeting(self, here: str, there: str) -> int:
        if here == there:
            return 0
        tiers = zip(self.above.get(here, ()), self.above.get(there, ()), strict=False)
        return next((tier for tier, (one, other) in enumerate(tiers) if one & other), UNKNOWN_HOP)

    @property
    def hop_classes(self) -> tuple[int, ...]:
        """Return the classes of all pairs, sorted."""
        leaves = {
            rail: sorted({leaf for (_, one), leaf in self.leaf_of.items() if one == rail})
            for rail in self.rails
        }
        found = set()
        for rail in self.rails:
            placed = sum((host, rail) in self.leaf_of for host in self.hosts)
            found |= {UNKNOWN_HOP} if placed < len(self.hosts) else set()
            held = [self.leaf_of.get((host, rail)) for host in self.hosts]
            found |= {0} if any(held.count(leaf) > 1 for leaf in leaves[rail]) else set()
            for at, here in enumerate(leaves[rail]):
                found |= {self._meeting(here, there) for there in leaves[rail][at + 1 :]}
        return tuple(sorted(found))

    def only(self, hosts: Iterable[str]) -> Layout:
        """Return the layout of some of the hosts, in the same order."""
        wanted = set(hosts)
        return Layout(
            hosts=tuple(one for one in self.hosts if one in wanted),
            rails=self.rails,
            leaf_of={key: leaf for key, leaf in self.leaf_of.items() if key[0] in wanted},
            above=self.above,
            uplinks=self.uplinks,
            rate_gbit_per_s={
                key: rate for key, rate in self.rate_gbit_per_s.items() if key[0] in wanted
            },
        )


def layout_of(
    hosts: Sequence[str], topology: Topology | None = None, rails: Sequence[str] = ()
) -> Layout:
    """Return where hosts are.

    Args:
        hosts: names, as in the topology or in Slurm.
        topology: of the network; without one every place is unknown.
        rails: adapters to test, by the device or as ``rail0``; none: one path for each host.
    """
    names = tuple(rails) or (NO_RAIL,)
    if topology is None:
        return Layout(tuple(sorted(set(hosts), key=natural)), names)
    called = {one.name: one.name for one in topology.nodes}
    called |= {one.slurm_name: one.name for one in topology.nodes if one.slurm_name}
    links = _links_of(topology)
    index = {one.device: one.index for one in topology.rails if one.device}
    index |= {f"rail{one.index}": one.index for one in topology.rails}
    leaf_of: dict[tuple[str, str], str] = {}
    rates: dict[tuple[str, str], float] = {}
    for host in sorted(set(hosts), key=natural):
        for rail in names:
            fitting = [
                one
                for one in links.get(called.get(host, ""), ())
                if rail == NO_RAIL or one.rail == index.get(rail, None)
            ]
            if fitting:
                leaf_of[host, rail] = fitting[0].upper
                if fitting[0].rate_gbit_per_s is not None:
                    rates[host, rail] = fitting[0].rate_gbit_per_s * (fitting[0].count or 1)
    leaves = sorted(set(leaf_of.values()), key=natural)
    order = {leaf: at for at, leaf in enumerate(leaves)}
    placed = sorted(
        set(hosts),
        key=lambda one: (order.get(leaf_of.get((one, names[0]), ""), len(order)), natural(one)),
    )
    return Layout(
        hosts=tuple(placed),
        rails=names,
        leaf_of=leaf_of,
        above={leaf: _climbed(leaf, links) for leaf in leaves},
        uplinks={leaf: count for leaf in leaves if (count := _cables(links.get(leaf, ())))},
        rate_gbit_per_s=rates,
    )


def _links_of(topology: Topology) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in topology.links:
        found.setdefault(link.lower, []).append(link)
    return found


def _cables(links: Iterable[Link]) -> int:
    return sum(one.count or 1 for one in links)


def _climbed(leaf: str, links: Mapping[str, Sequence[Link]]) -> tuple[frozenset[str], ...]:
    found = [frozenset({leaf})]
    while above := frozenset(up.upper for one in found[-1] for up in links.get(one, ())):
        found.append(above)
    return tuple(found)
