"""What a fabric can carry: oversubscription of switches, and maximum flow between its parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sunk.errors import EnvironmentFault
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.levels import Levels, switch_peers
from sunk_fabric.topology.rails import Placement

_UNITS_PER_GBIT = 2
"""Capacities are whole numbers for scipy; rates are multiples of 2.5 Gb/s or of 1 (FDR)."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Traffic that a switch may get from below, against what it can pass up.

    Attributes:
        switch: GUID.
        level: from 1.
        down_gbit_per_s: of all cables to compute adapters or the level below.
        up_gbit_per_s: of all cables to the level above.
    """

    switch: str
    level: int
    down_gbit_per_s: float
    up_gbit_per_s: float

    @property
    def ratio(self) -> float:
        """Return down / up: 1 does not block, 2 halves; infinite without a way up."""
        if not self.up_gbit_per_s:
            return float("inf")
        return self.down_gbit_per_s / self.up_gbit_per_s


@dataclass(frozen=True, slots=True)
class Flow:
    """The most that one half of the hosts can send to the other at once.

    Attributes:
        name: ``halves``, or the rail's.
        offered_gbit_per_s: what the adapters of the smaller half have.
        possible_gbit_per_s: what the switches carry of it.
        cut: pairs of switches, by name, that limit it; empty when nothing does.
    """

    name: str
    offered_gbit_per_s: float
    possible_gbit_per_s: float
    cut: tuple[tuple[str, str], ...]

    @property
    def blocks(self) -> bool:
        """Return whether the switches carry less than the adapters offer."""
        return self.possible_gbit_per_s < self.offered_gbit_per_s * 0.999


def subscriptions(fabric: Fabric, levels: Levels) -> tuple[Subscription, ...]:
    """Return one row for every switch below the top, by level and name."""
    found = []
    for guid, level in levels.of.items():
        if level == levels.top:
            continue
        peers = [(link, levels.of.get(far, 0)) for link, far in switch_peers(fabric, guid)]
        up = sum(link.rate.gbit_per_s for link, other in peers if other > level)
        down = sum(link.rate.gbit_per_s for link, other in peers if 0 < other < level)
        down += sum(
            link.rate.gbit_per_s
            for link in fabric.at.get(guid, ())
            if link.far(guid).guid in fabric.compute
        )
        found.append(Subscription(guid, level, down, up))
    return tuple(sorted(found, key=lambda one: (one.level, fabric.name(one.switch))))


def flows(fabric: Fabric, levels: Levels, placement: Placement) -> tuple[Flow, ...]:
    """Return the flow between halves of all hosts, and that of every rail alone.

    Halves are whole scalable units where there are several, else leaves. Rails are judged alone as
    their traffic does not cross over.
    """
    one_half = _half(placement)
    if not one_half:
        return ()
    network = _Network(fabric, levels)
    found = [network.flow("halves", _rates(fabric, placement, None), one_half)]
    for rail in placement.rails:
        rates = _rates(fabric, placement, rail)
        if any(leaf in one_half for leaf in rates) and not set(rates) <= one_half:
            found.append(network.flow(rail, rates, one_half))
    return tuple(found)


def _half(placement: Placement) -> frozenset[str]:
    """Return the leaves of one half; empty when there are no two."""
    used = set(placement.leaf_of.values())
    units = [tuple(leaf for leaf in unit if leaf in used) for unit in placement.units]
    units = [unit for unit in units if unit]
    if len(units) < 2:
        units = [(leaf,) for unit in units for leaf in unit]
    return frozenset(leaf for unit in units[: len(units) // 2] for leaf in unit)


def _rates(fabric: Fabric, placement: Placement, rail: str | None) -> Mapping[str, float]:
    """Return leaf -> rate of its adapters, of one rail or all."""
    found: dict[str, float] = {}
    for guid, leaf in placement.leaf_of.items():
        if rail is None or fabric.hcas[guid].device == rail:
            rate = sum(link.rate.gbit_per_s for link in fabric.at[guid])
            found[leaf] = found.get(leaf, 0.0) + rate
    return found


class _Network:
    """Switches as a capacity matrix, cables between the same two added up."""

    def __init__(self, fabric: Fabric, levels: Levels) -> None:
        self.fabric = fabric
        self.index = {guid: number for number, guid in enumerate(sorted(levels.of))}
        capacity: dict[tuple[int, int], float] = {}
        for guid in self.index:
            for link, far in switch_peers(fabric, guid):
                if far in self.index:
                    pair = (self.index[guid], self.index[far])
                    capacity[pair] = capacity.get(pair, 0.0) + link.rate.gbit_per_s
        self.capacity = capacity

    def flow(self, name: str, rates: Mapping[str, float], one_half: frozenset[str]) -> Flow:
        source, sink = len(self.index), len(self.index) + 1
        capacity = dict(self.capacity)
        halves = [0.0, 0.0]
        for leaf, rate in rates.items():
            place = self.index[leaf]
            capacity[(source, place) if leaf in one_half else (place, sink)] = rate
            halves[leaf not in one_half] += rate
        matrix = _matrix(capacity, len(self.index) + 2)
        result = _scipy()[1](matrix, source, sink)
        offered = min(halves)
        possible = float(result.flow_value) / _UNITS_PER_GBIT
        flow = Flow(name, offered, possible, ())
        if not flow.blocks:
            return flow
        return Flow(name, offered, possible, self._cut(matrix, result.flow, source))

    def _cut(self, matrix: Any, flow: Any, source: int) -> tuple[tuple[str, str], ...]:
        """Return pairs across the cut nearest to the source, full in the flow's direction."""
        residual = (matrix - flow).tocsr()
        residual.eliminate_zeros()
        seen, queue = {source}, deque([source])
        while queue:
            place = queue.popleft()
            row = slice(residual.indptr[place], residual.indptr[place + 1])
            for far in (int(one) for one in residual.indices[row]):
                if far not in seen:
                    seen.add(far)
                    queue.append(far)
        guids = sorted(self.index)
        return tuple(
            sorted(
                (self.fabric.name(guids[low]), self.fabric.name(guids[high]))
                for low, high in self.capacity
                if low in seen and high not in seen
            )
        )


def _matrix(capacity: Mapping[tuple[int, int], float], size: int) -> Any:
    values = [round(one * _UNITS_PER_GBIT) for one in capacity.values()]
    rows, columns = zip(*capacity, strict=True) if capacity else ((), ())
    matrix = _scipy()[0]((values, (rows, columns)), shape=(size, size), dtype="int32")
    return matrix.tocsr()


def _scipy() -> tuple[Any, Any]:
    """Return what is needed of scipy, which takes longer to load than most commands to run.

    Raises:
        EnvironmentFault: it is not installed.
    """
    try:
        from scipy.sparse import coo_array  # noqa: PLC0415 - see above
        from scipy.sparse.csgraph import maximum_flow  # noqa: PLC0415 - see above
    except ImportError as exc:
        raise EnvironmentFault(
            "compute the flow of the fabric: scipy is not installed",
            hint="pip install 'sunk[fabric]'",
        ) from exc
    return coo_array, maximum_flow
