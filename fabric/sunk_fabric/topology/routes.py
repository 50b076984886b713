"""Forwarding tables over a fabric: who reaches whom, over how many cables, and how evenly.

Routes are followed from every switch that has hosts to every adapter, all at once: one matrix of
positions, moved on by one cable in every step. Base LIDs only; where adapters have more, the
others are routes of the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sunk.errors import EnvironmentFault
from sunk_fabric.parse.dump_lfts import NOWHERE, Table
from sunk_fabric.parse.ibnetdiscover import Discovery, Kind
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.levels import Levels
from sunk_fabric.topology.parts import End

HOPS_LIMIT = 64
"""Switches on a way; InfiniBand's own limit of directed routes. A longer way goes in circles."""
CHUNK = 512
"""Destinations followed at once: memory stays flat, and the steps are still few."""
_ARRIVED, _LOST = -1, -2
_PORTS = 256


@dataclass(frozen=True, slots=True)
class Uplinks:
    """How a switch spreads adapters over its cables to the level above.

    Attributes:
        switch: GUID.
        level: from 1.
        destinations: of every cable up, how many adapters are sent over it; by port.
        paths: the same, times the adapters that send.
    """

    switch: str
    level: int
    destinations: Mapping[int, int]
    paths: Mapping[int, int]

    @property
    def imbalance(self) -> float:
        """Return most over mean of the destinations; 1 is even, 1 without any."""
        total = sum(self.destinations.values())
        return max(self.destinations.values()) * len(self.destinations) / total if total else 1.0

    @property
    def busiest(self) -> int:
        """Return the port with most destinations."""
        return max(self.destinations, key=lambda port: (self.destinations[port], -port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """The outcome.

    Attributes:
        switches: how many of the fabric's switches have a table.
        adapters: destinations that were followed.
        pairs: pairs of adapters, each way counted.
        untold: adapters whose LID no table tells of, GUIDs, sorted; they were not followed.
        hops: switches on a way -> how many pairs.
        unreachable: (switch with hosts, adapter) that a way ends short of, GUIDs, sorted; the first
            `KEPT`.
        unreachable_count: how many there are.
        circles: the same for ways that go in circles.
        circle_count: how many there are.
        uplinks: of every switch below the top, by level and GUID.
        deadlock: ends of cables, each waiting for the next and the last for the first, that can
            stop each other for ever; empty when there are none.
    """

    switches: int
    adapters: int
    pairs: int
    untold: tuple[str, ...]
    hops: Mapping[int, int]
    unreachable: tuple[tuple[str, str], ...]
    unreachable_count: int
    circles: tuple[tuple[str, str], ...]
    circle_count: int
    uplinks: tuple[Uplinks, ...]
    deadlock: tuple[End, ...]


KEPT = 20
"""Examples that are kept of what goes wrong; the count tells the rest."""


def missing_tables(fabric: Fabric, tables: Iterable[Table]) -> tuple[str, ...]:
    """Return the switches of the fabric without a table, GUIDs, sorted."""
    return tuple(sorted(set(fabric.switches) - {one.guid for one in tables}))


def follow(discovery: Discovery, fabric: Fabric, levels: Levels, tables: Sequence[Table]) -> Routes:
    """Follow every route; switches without a table lead nowhere.

    Raises:
        EnvironmentFault: numpy is not installed.
    """
    network = _Network(discovery, fabric, tables)
    work = _Walk(network)
    for start in range(0, len(network.targets), CHUNK):
        work.walk(start, min(start + CHUNK, len(network.targets)))
    return work.outcome(fabric, levels, {one.guid for one in tables})


class _Network:
    """Switches by number; what is behind every port; where to go for every destination.

    Attributes:
        far: switch x port -> the next switch's number, or minus 3 minus the number of the
            destination there, or lost.
        out: switch x destination -> port.
    """

    def __init__(self, discovery: Discovery, fabric: Fabric, tables: Sequence[Table]) -> None:
        self.np = np = _numpy()
        self.guids = sorted(fabric.switches)
        self.index = {guid: number for number, guid in enumerate(self.guids)}
        told = max((one.last for one in tables), default=0)
        every = _targets(discovery, fabric)
        self.untold = tuple(sorted({end.guid for end, lid in every.items() if lid > told}))
        self.targets = sorted(end for end, lid in every.items() if lid <= told)
        lids = [every[end] for end in self.targets]
        self.at = {end: number for number, end in enumerate(self.targets)}
        count = len(self.guids)
        self.far = np.full((count, _PORTS), _LOST, dtype=np.int32)
        self.far_port = np.zeros((count, _PORTS), dtype=np.int32)
        self.sources = np.zeros(count, dtype=np.int64)
        for link in fabric.links:
            for near, far in ((link.low, link.high), (link.high, link.low)):
                self._plug(near, far)
        self.out = np.full((count, len(self.targets)), NOWHERE, dtype=np.uint8)
        for one in tables:
            if one.guid in self.index:
                whole = np.full(max([*lids, 0]) + 1, NOWHERE, dtype=np.uint8)
                ports = np.frombuffer(one.ports, dtype=np.uint8)[: len(whole)]
                whole[: len(ports)] = ports
                self.out[self.index[one.guid]] = whole[lids]

    def _plug(self, near: End, far: End) -> None:
        place = self.index.get(near.guid)
        if place is None or near.port >= _PORTS:
            return
        if far.guid in self.index:
            self.far[place, near.port] = self.index[far.guid]
            self.far_port[place, near.port] = far.port
        elif far in self.at:
            self.far[place, near.port] = -3 - self.at[far]
            self.sources[place] += 1


def _targets(discovery: Discovery, fabric: Fabric) -> Mapping[End, int]:
    """Return the ports of hosts' adapters that have a LID, with it."""
    return {
        End(node.guid, line.port): line.lid
        for node in discovery.nodes
        if node.kind is Kind.CA and node.guid in fabric.hcas
        for line in node.ports
        if line.lid
    }


class _Walk:
    """What is gathered on the way."""

    def __init__(self, network: _Network) -> None:
        self._net = network
        np = network.np
        shape = (len(network.guids), _PORTS)
        self._paths = np.zeros(shape, dtype=np.int64)
        self._hops: dict[int, int] = {}
        self._lost: list[tuple[int, int]] = []
        self._circles: list[tuple[int, int]] = []
        self._counts = [0, 0]
        self._waits: list[Any] = []

    def walk(self, start: int, end: int) -> None:
        """Follow the routes to these destinations from every switch with hosts."""
        net, np = self._net, self._net.np
        origins = np.flatnonzero(net.sources)
        targets = np.arange(start, end)
        rows, columns = np.meshgrid(origins, targets, indexing="ij")
        origin, target = rows.ravel(), columns.ravel()
        weight, at = net.sources[origin], origin
        before = np.full(len(at), -1, dtype=np.int64)
        for hops in range(1, HOPS_LIMIT + 1):
            if not len(at):
                return
            port = net.out[at, target].astype(np.int64)
            to = net.far[at, port]
            arrived = to == -3 - target
            going = to >= 0
            self._count(origin, target, ~(arrived | going), self._lost, 0)
            np.add.at(
                self._paths, (at[going | arrived], port[going | arrived]), weight[going | arrived]
            )
            # At the adapter's own switch it is one of those that send, and not to itself.
            own = int(arrived.sum()) if hops == 1 else 0
            self._arrive(hops, int(weight[arrived].sum()) - own)
            channel = at * _PORTS + port
            self._wait(before[going], channel[going])
            before, origin, target = channel[going], origin[going], target[going]
            weight, at = weight[going], to[going]
        self._count(origin, target, np.ones(len(at), dtype=bool), self._circles, 1)

    def _arrive(self, hops: int, pairs: int) -> None:
        if pairs:
            self._hops[hops] = self._hops.get(hops, 0) + pairs

    def _count(
        self, origin: Any, target: Any, which: Any, kept: list[tuple[int, int]], slot: int
    ) -> None:
        self._counts[slot] += int(which.sum())
        for place in self._net.np.flatnonzero(which)[: max(0, KEPT - len(kept))]:
            kept.append((int(origin[place]), int(target[place])))

    def _wait(self, before: Any, channel: Any) -> None:
        np = self._net.np
        known = before >= 0
        if known.any():
            size = len(self._net.guids) * _PORTS
            self._waits.append(np.unique(before[known] * size + channel[known]))

    def outcome(self, fabric: Fabric, levels: Levels, tables: set[str]) -> Routes:
        net = self._net
        return Routes(
            switches=len(tables & set(net.guids)),
            adapters=len(net.targets),
            pairs=sum(self._hops.values()),
            untold=net.untold,
            hops=dict(sorted(self._hops.items())),
            unreachable=self._named(self._lost),
            unreachable_count=self._counts[0],
            circles=self._named(self._circles),
            circle_count=self._counts[1],
            uplinks=tuple(self._uplinks(fabric, levels)),
            deadlock=self._deadlock(),
        )

    def _named(self, found: list[tuple[int, int]]) -> tuple[tuple[str, str], ...]:
        net = self._net
        return tuple(sorted((net.guids[one], net.targets[target].guid) for one, target in found))

    def _uplinks(self, fabric: Fabric, levels: Levels) -> Iterator[Uplinks]:
        net, np = self._net, self._net.np
        for guid, level in sorted(levels.of.items(), key=lambda one: (one[1], one[0])):
            ends = [(link.near(guid), link.far(guid)) for link in fabric.at.get(guid, ())]
            up = [near.port for near, far in ends if levels.of.get(far.guid, 0) == level + 1]
            if not up or guid not in net.index:
                continue
            place = net.index[guid]
            counted = np.bincount(net.out[place], minlength=_PORTS)
            yield Uplinks(
                guid,
                level,
                {port: int(counted[port]) for port in sorted(up)},
                {port: int(self._paths[place, port]) for port in sorted(up)},
            )

    def _deadlock(self) -> tuple[End, ...]:
        """Return the shortest way to write one circle of cables that wait for each other."""
        np = self._net.np
        if not self._waits:
            return ()
        size = len(self._net.guids) * _PORTS
        pairs = np.unique(np.concatenate(self._waits))
        waits, held = pairs // size, pairs % size
        names, numbers = np.unique(np.concatenate([waits, held]), return_inverse=True)
        circle = _circle(len(names), numbers[: len(waits)], numbers[len(waits) :])
        return tuple(self._end(int(names[one])) for one in circle)

    def _end(self, channel: int) -> End:
        place, port = divmod(channel, _PORTS)
        return End(self._net.guids[place], port)


def _circle(count: int, waits: Any, held: Any) -> list[int]:
    """Return one circle of a graph, or nothing: its strongly connected parts show where."""
    np = _numpy()
    from scipy.sparse import coo_array  # noqa: PLC0415 - takes longer to load than most commands
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415 - the same

    graph = coo_array((np.ones(len(waits), dtype=np.int8), (waits, held)), shape=(count, count))
    parts, label = connected_components(graph, directed=True, connection="strong")
    if parts == count:
        return []
    part = int(np.flatnonzero(np.bincount(label) > 1)[0])
    inside = (label[waits] == part) & (label[held] == part)
    after: dict[int, list[int]] = {}
    for one, other in zip(waits[inside].tolist(), held[inside].tolist(), strict=True):
        after.setdefault(one, []).append(other)
    way, seen = [min(after)], {min(after): 0}
    while True:
        following = min(after[way[-1]])
        if following in seen:
            return way[seen[following] :]
        seen[following] = len(way)
        way.append(following)


def _numpy() -> Any:
    try:
        import numpy as np  # noqa: PLC0415 - not needed to write and submit jobs
    except ImportError as exc:
        raise EnvironmentFault(
            "follow the routes of the fabric: numpy is not installed",
            hint="pip install 'sunk[fabric]'",
        ) from exc
    return np
