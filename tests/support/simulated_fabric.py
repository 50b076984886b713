"""Simulated fabrics in ibnetdiscover's format, with every kind of cabling fault.

The same format is what ibsim reads: `Simulated.net` gives it what a subnet manager has to find
out, and `tests.support.ibsim` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

AGGREGATION_NODE = "Mellanox Technologies Aggregation Node"
"""What switches call the adapter inside them that reduces (SHARP)."""


class Place(NamedTuple):
    """One end of a cable: a node's name and its port."""

    node: str
    port: int


@dataclass
class Simulated:
    """Nodes by name with cables between them; change it, then ask for its text."""

    rate: str = "4xNDR"
    guids: dict[str, int] = field(default_factory=dict)
    switches: dict[str, int] = field(default_factory=dict)
    peers: dict[Place, Place] = field(default_factory=dict)
    rates: dict[Place, str] = field(default_factory=dict)
    used: dict[str, set[int]] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    """Aggregation node -> its switch."""

    def add_switch(self, name: str, ports: int = 64) -> str:
        self.switches[name] = ports
        self.guids[name] = 0xE8EBD30300000000 + 0x10000 * (len(self.guids) + 1)
        return name

    def add_hca(self, host: str, device: str) -> str:
        name = f"{host} {device}"
        self.guids[name] = 0xA088C20300000000 + 0x10 * (len(self.guids) + 1)
        return name

    def add_aggregation(self, switch: str) -> str:
        """Give a switch an aggregation node, at a port beyond those for cables."""
        name = f"{switch} aggregation"
        self.guids[name] = self.guids[switch] + 8
        self.inside[name] = switch
        self.switches[switch] += 1
        self.connect(Place(name, 1), Place(switch, self.switches[switch]))
        return name

    def free(self, node: str) -> Place:
        """Return the node's lowest port without a cable."""
        used = self.used.setdefault(node, set())
        return Place(node, min(set(range(1, len(used) + 2)) - used))

    def connect(self, one: Place, other: Place) -> None:
        self.peers[one], self.peers[other] = other, one
        for place in (one, other):
            self.used.setdefault(place.node, set()).add(place.port)

    def join(self, one: str, other: str, count: int = 1) -> None:
        for _ in range(count):
            self.connect(self.free(one), self.free(other))

    def pull(self, place: Place) -> Place:
        """Pull a cable and return its far end."""
        far = self.peers.pop(place)
        self.peers.pop(far, None)
        for end in (place, far):
            self.used[end.node].discard(end.port)
        self.rates.pop(place, None)
        return far

    def swap(self, one: Place, other: Place) -> None:
        """Exchange the cables at two places."""
        far, further = self.pull(one), self.pull(other)
        self.connect(one, further)
        self.connect(other, far)

    def slow_down(self, place: Place, rate: str) -> None:
        self.rates[place] = self.rates[self.peers[place]] = rate

    def remove(self, node: str) -> None:
        for place in [one for one in self.peers if one.node == node]:
            self.pull(place)
        del self.guids[node]
        self.switches.pop(node, None)

    def cables(self, one: str, other: str) -> list[Place]:
        """Return ports of the first node that lead to the second."""
        return sorted(p for p, far in self.peers.items() if p.node == one and far.node == other)

    def node_id(self, name: str) -> str:
        """Return a node as net files and ibsim's console name it: ``S-e8ebd30300010000``."""
        return f"{self._mark(name)}-{self.guids[name]:016x}"

    def text(self) -> bytes:
        """Return what ibnetdiscover prints of it."""
        lids = {name: number for number, name in enumerate(sorted(self.guids), start=1)}
        order = sorted(self.guids, key=lambda one: (one not in self.switches, one))
        return self._written(order, lids)

    def net(self, first: str = "") -> bytes:
        """Return a net file of ibsim: no LIDs yet, and the node first that tools start from.

        That is the first host unless `first` names another.
        """
        hosts = [one for one in sorted(self.guids) if self.is_host(one)]
        first = first or hosts[0]
        order = sorted(self.guids, key=lambda one: (one != first, not self.is_host(one), one))
        return self._written(order, dict.fromkeys(self.guids, 0))

    def is_host(self, name: str) -> bool:
        """Return whether a node is an adapter of a host."""
        return name not in self.switches and name not in self.inside

    def _mark(self, name: str) -> str:
        return "S" if name in self.switches else "H"

    def _description(self, name: str) -> str:
        return AGGREGATION_NODE if name in self.inside else name

    def _written(self, order: list[str], lids: dict[str, int]) -> bytes:
        ports: dict[str, list[Place]] = {name: [] for name in self.guids}
        for place in sorted(self.peers):
            ports[place.node].append(place)
        lines = [
            "#",
            "# Topology file: generated on Sat Nov 21 07:04:15 2026",
            "#",
            "# Initiated from node a088c20300000010 port a088c20300000011",
        ]
        for name in order:
            lines += ["", *self._record(name, ports[name], lids)]
        return ("\n".join(lines) + "\n").encode()

    def _record(self, name: str, places: list[Place], lids: dict[str, int]) -> list[str]:
        own = f"{self.guids[name]:016x}"
        system = f"{self.guids[self.inside.get(name, name)]:016x}"
        head = ["vendid=0x2c9", "devid=0xd2f2", f"sysimgguid=0x{system}"]
        lid = lids[name]
        if name in self.switches:
            head += [
                f"switchguid=0x{own}({own})",
                f'Switch\t{self.switches[name]} "S-{own}"\t\t'
                f'# "{name}" enhanced port 0 lid {lid} lmc 0',
            ]
        else:
            head += [f"caguid=0x{own}", f'Ca\t1 "H-{own}"\t\t# "{self._description(name)}"']
        return [*head, *(self._port(name, place, lids) for place in places)]

    def _port(self, name: str, place: Place, lids: dict[str, int]) -> str:
        far = self.peers[place]
        rate = self.rates.get(place, self.rate)
        peer = f'"{self.node_id(far.node)}"[{far.port}]'
        end = f'"{self._description(far.node)}" lid {lids[far.node]} {rate}'
        if name not in self.switches:
            own = f"{self.guids[name] + 1:x}"
            return f"[{place.port}]({own}) \t{peer}\t\t# lid {lids[name]} lmc 0 {end}"
        guid = f"({self.guids[far.node] + 1:x}) " if far.node not in self.switches else " "
        return f"[{place.port}]\t{peer}{guid}\t\t# {end}"


def two_level(leaves: int = 8, spines: int = 2, hosts_per_leaf: int = 8) -> Simulated:
    """One adapter for each host; as many uplinks as hosts, spread over the spines."""
    made = Simulated()
    for leaf in range(leaves):
        made.add_switch(f"leaf{leaf}")
    for spine in range(spines):
        made.add_switch(f"spine{spine}")
    for leaf in range(leaves):
        for number in range(hosts_per_leaf):
            host = f"node{leaf * hosts_per_leaf + number:04d}"
            made.join(f"leaf{leaf}", made.add_hca(host, "mlx5_0"))
        for spine in range(spines):
            made.join(f"leaf{leaf}", f"spine{spine}", hosts_per_leaf // spines)
    return made


def eight_rail(units: int = 2, hosts_per_unit: int = 8, spines: int = 4) -> Simulated:
    """Eight adapters for each host, a leaf for each rail of a unit, one layer of spines."""
    made = Simulated()
    for unit in range(units):
        _add_unit(made, unit, hosts_per_unit)
    for spine in range(spines):
        made.add_switch(f"spine{spine}")
    for unit, rail, spine in product(range(units), range(8), range(spines)):
        made.join(f"su{unit}-leaf{rail}", f"spine{spine}", hosts_per_unit // spines)
    return made


def three_level(units: int = 8, hosts_per_unit: int = 16) -> Simulated:
    """Eight rails with spines of every unit and cores above: 1,024 adapters, 192 switches."""
    made = Simulated()
    each = hosts_per_unit // 8
    for core in range(64):
        made.add_switch(f"core{core:02d}")
    for unit in range(units):
        _add_unit(made, unit, hosts_per_unit)
        for spine in range(8):
            made.add_switch(f"su{unit}-spine{spine}")
        for leaf, spine in product(range(8), range(8)):
            made.join(f"su{unit}-leaf{leaf}", f"su{unit}-spine{spine}", each)
        for spine, core in product(range(8), range(8)):
            made.join(f"su{unit}-spine{spine}", f"core{spine * 8 + core:02d}", each)
    return made


def ring(switches: int = 5) -> Simulated:
    """Switches in a circle, a host at each: shortest ways can wait for each other."""
    made = Simulated()
    for number in range(switches):
        made.add_switch(f"s{number}")
        made.join(f"s{number}", made.add_hca(f"node{number}", "mlx5_0"))
    for number in range(switches):
        far = (number + 1) % switches
        made.connect(Place(f"s{number}", 2), Place(f"s{far}", 3))
    return made


def with_aggregation(made: Simulated) -> Simulated:
    """Give every switch an aggregation node."""
    for switch in sorted(made.switches):
        made.add_aggregation(switch)
    return made


def _add_unit(made: Simulated, unit: int, hosts: int) -> None:
    """Add eight leaves with the hosts of a scalable unit."""
    for rail in range(8):
        made.add_switch(f"su{unit}-leaf{rail}")
    for number, rail in product(range(hosts), range(8)):
        host = f"gpu{unit * hosts + number:04d}"
        made.join(f"su{unit}-leaf{rail}", made.add_hca(host, f"mlx5_{rail}"))
