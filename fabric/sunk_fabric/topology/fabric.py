"""A discovered fabric as a graph: switches, adapters, and cables with both their ends."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sunk_fabric import subjects
from sunk_fabric.parse.ibnetdiscover import Discovery, Kind, Node
from sunk_fabric.rates import Rate
from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.parts import End, Hca, Link, Switch

_HOST_AND_DEVICE = re.compile(r"([\w.-]+) ([\w.-]+)", re.ASCII)
"""No host or device has other characters in its name; whoever writes them has something in mind."""
_DEFAULT_DESCRIPTION = re.compile(
    r"MT\d+ |.*Mellanox Technologies|.*Infiniscale|.*Quantum Mellanox"
)
_AGGREGATION_NODE = "Aggregation Node"


@dataclass(frozen=True)
class Fabric:
    """What is there.

    Attributes:
        switches: by GUID.
        hcas: adapters of hosts, by GUID.
        usual: devices of most hosts; empty when there is no majority.
        aggregation_nodes: adapters inside switches that reduce in the network (SHARP), GUIDs.
        others: GUID -> description of adapters that name no host and device.
        links: sorted; every cable once.
        defects: what is wrong whatever the topology should be.
    """

    switches: Mapping[str, Switch]
    hcas: Mapping[str, Hca]
    usual: frozenset[str]
    aggregation_nodes: frozenset[str]
    others: Mapping[str, str]
    links: tuple[Link, ...]
    defects: tuple[Defect, ...]

    @cached_property
    def misnamed(self) -> tuple[str, ...]:
        """Return what adapters say that somebody named, and with characters that no host has."""
        named = (one for one in self.others.values() if one and not _DEFAULT_DESCRIPTION.match(one))
        return tuple(sorted(named))

    @cached_property
    def at(self) -> Mapping[str, tuple[Link, ...]]:
        """Return the cables of every node, sorted; loops once."""
        found: dict[str, list[Link]] = defaultdict(list)
        for link in self.links:
            for guid in sorted({link.low.guid, link.high.guid}):
                found[guid].append(link)
        return {guid: tuple(links) for guid, links in found.items()}

    @cached_property
    def kinds(self) -> Mapping[str, frozenset[str]]:
        """Return host -> devices of its kind: those of most hosts, also where a few are missing."""
        devices: dict[str, set[str]] = defaultdict(set)
        for hca in self.hcas.values():
            devices[hca.host].add(hca.device)
        return {
            host: self.usual if _of_kind(found, self.usual) else frozenset(found)
            for host, found in devices.items()
        }

    @cached_property
    def compute(self) -> frozenset[str]:
        """Return the adapters that the fabric was built for, GUIDs.

        Those of the usual kind of host; hosts of managers and storage have others, and are judged
        by none of what holds for these. All, when no kind is usual.
        """
        if not self.usual:
            return frozenset(self.hcas)
        found = (guid for guid, hca in self.hcas.items() if self.kinds[hca.host] == self.usual)
        return frozenset(found)

    def name(self, guid: str) -> str:
        """Return what people call a node."""
        if guid in self.switches:
            return self.switches[guid].name
        if guid in self.hcas:
            return self.hcas[guid].name
        return self.others.get(guid, guid)

    def subject(self, guid: str) -> str:
        """Return the path of a node."""
        if guid in self.hcas:
            return subjects.node(self.hcas[guid].host, self.hcas[guid].device)
        return subjects.switch(self.name(guid))

    def place(self, end: End) -> str:
        """Return an end in the words of a data centre: ``leaf1 port 33 (cage 17/1)``."""
        switch = self.switches.get(end.guid)
        if switch is None:
            return self.name(end.guid)
        return f"{switch.name} port {port_label(end.port, switch.port_count)}"


def port_label(port: int, port_count: int) -> str:
    """Return a port's number, with the cage of twin-port cages.

    Switches with 64 ports in 32 cages label port 33 as 17/1; Quantum-2 user manual.
    """
    if port_count in {64, 65} and port <= 64:
        return f"{port} (cage {(port + 1) // 2}/{2 - port % 2})"
    return str(port)


def build(discovery: Discovery) -> Fabric:
    """Return the graph of a discovery; what contradicts itself is left out and named."""
    counted = Counter(one.guid for one in discovery.nodes)
    twice = {guid for guid, count in counted.items() if count > 1}
    names = _unique_names(discovery.nodes)
    switches, hcas, others, aggregation = {}, {}, {}, set()
    for one in discovery.nodes:
        if one.kind is not Kind.CA:
            switches[one.guid] = Switch(one.guid, names[one.guid], one.port_count)
        elif _AGGREGATION_NODE in one.description:
            aggregation.add(one.guid)
        elif (hca := _hca(one)) is not None:
            hcas[one.guid] = hca
        else:
            others[one.guid] = one.description
    links, defects = _links(discovery.nodes, twice)
    usual = _usual(hcas)
    fabric = Fabric(switches, hcas, usual, frozenset(aggregation), others, links, ())
    found = [
        *defects,
        *(_duplicate(guid, discovery.nodes) for guid in sorted(twice)),
        *_loops(fabric),
        *_descriptions(fabric),
    ]
    return replace(fabric, defects=tuple(found))


def _usual(hcas: Mapping[str, Hca]) -> frozenset[str]:
    devices: dict[str, set[str]] = defaultdict(set)
    for hca in hcas.values():
        devices[hca.host].add(hca.device)
    counted = Counter(frozenset(one) for one in devices.values())
    usual, count = max(
        counted.items(), key=lambda one: (one[1], sorted(one[0])), default=(frozenset[str](), 0)
    )
    if 2 * count > len(devices):
        return usual
    # Half of all hosts behind a dead leaf leave no majority; the others show what they lack.
    whole = [one for one, many in counted.items() if 4 * many >= len(devices)]
    covering = [one for one in whole if all(_of_kind(each, one) for each in whole)]
    covered = {one: sum(_of_kind(each, one) for each in devices.values()) for one in covering}
    return next((one for one in covering if 2 * covered[one] > len(devices)), frozenset())


def _of_kind(found: Collection[str], usual: frozenset[str]) -> bool:
    """Return whether a host has these devices, or lacks less than half of them."""
    return set(found) <= usual and 2 * len(found) > len(usual)


def _hca(node: Node) -> Hca | None:
    found = _HOST_AND_DEVICE.fullmatch(node.description)
    if found is None or _DEFAULT_DESCRIPTION.match(node.description):
        return None
    return Hca(node.guid, found[1], found[2])


def _unique_names(nodes: Iterable[Node]) -> Mapping[str, str]:
    by_guid = {one.guid: one.description for one in nodes if one.kind is not Kind.CA}
    counted = Counter(by_guid.values())
    return {
        guid: text if text and counted[text] == 1 else f"{text or 'switch'} ({guid})"
        for guid, text in by_guid.items()
    }


def _links(nodes: Iterable[Node], twice: set[str]) -> tuple[tuple[Link, ...], list[Defect]]:
    said: dict[tuple[End, End], dict[Rate, str]] = {}
    for node in nodes:
        for line in node.ports:
            if node.guid in twice or line.peer_guid in twice:
                continue
            here, there = End(node.guid, line.port), End(line.peer_guid, line.peer_port)
            pair = (here, there) if here <= there else (there, here)
            said.setdefault(pair, {})[line.rate] = node.description
    links, defects = [], []
    for (low, high), rates in sorted(said.items()):
        slowest = min(rates, key=lambda one: (one.gbit_per_s, one))
        links.append(Link(low, high, slowest))
        if len(rates) > 1:
            words = " and ".join(f"{rate} at {name}" for rate, name in sorted(rates.items()))
            defects.append(
                Defect(
                    kind=DefectKind.ENDS_DISAGREE,
                    subject=subjects.FABRIC,
                    found=f"the ends of one link say {words}",
                    remedy="scan again; a link that was training settles",
                )
            )
    return tuple(links), defects


def _duplicate(guid: str, nodes: Iterable[Node]) -> Defect:
    names = sorted({one.description for one in nodes if one.guid == guid})
    return Defect(
        kind=DefectKind.DUPLICATE_GUID,
        subject=subjects.FABRIC,
        found=f"GUID {guid} is at {' and '.join(names)}",
        remedy="give each device its own GUID: cloned firmware or a cloned virtual function",
    )


def _loops(fabric: Fabric) -> Iterable[Defect]:
    for link in fabric.links:
        if link.low.guid == link.high.guid:
            ends = f"{fabric.place(link.low)} to its own port {link.high.port}"
            yield Defect(
                kind=DefectKind.LOOP,
                subject=fabric.subject(link.low.guid),
                found=f"a cable goes from {ends}",
                remedy="pull it, and cable both ports as planned",
                links=(link,),
            )


def _descriptions(fabric: Fabric) -> Iterable[Defect]:
    for guid, text in sorted(fabric.others.items()):
        yield Defect(
            kind=DefectKind.BAD_DESCRIPTION,
            subject=subjects.FABRIC,
            found=f"adapter {guid} is described as {text!r}, which names no host and device",
            remedy="set its node description at boot: rdma-ndd does",
        )
    counted = Counter(one.name for one in fabric.hcas.values())
    for name, count in sorted(counted.items()):
        if count > 1:
            yield Defect(
                kind=DefectKind.BAD_DESCRIPTION,
                subject=subjects.FABRIC,
                found=f"{count} adapters are described as {name!r}",
                remedy="give every host its own name",
            )
