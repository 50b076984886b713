"""Slow hosts and slow pairs from a matrix of rates; pure.

Rates are compared as logarithms with what the same hop class and the slower end's kind of host give
here. What a host explains is no link's fault: a slow host is a row or a column of the matrix, a bad
link a cell.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sunk_fabric.active import power
from sunk_fabric.active.kinds import kinds
from sunk_fabric.active.layout import Layout
from sunk_fabric.active.leaves import leaves_by, slow_leaves
from sunk_fabric.active.polish import LEAST_CELLS, deviation, median_by, polish
from sunk_fabric.active.samples import Phase, Sample
from sunk_fabric.active.suspects import SURE_MOST, Cell, Kind, Suspect, Way, confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rates of one rail, relative to expectation, in logarithms."""

    rail: str
    effect: float
    cells: Mapping[Cell, float]
    each: Mapping[tuple[int, Cell], float]
    """Index of a sample and its cell -> its own relative logarithm."""
    levels: Mapping[tuple[str, int], float]
    slower: Mapping[str, float]
    hop: Mapping[Cell, int]
    leaf_of: Mapping[str, str]
    leaves: Mapping[tuple[Way, str], float]
    """What slow leaves take from rates beyond them."""
    rest: Mapping[Cell, float]
    """What no leaf explains."""
    noise: float

    @classmethod
    def of(cls, samples: Sequence[Sample], layout: Layout, rail: str, effect: float) -> Matrix:
        """Return the matrix of the samples of one rail."""
        raw = {
            (at, one.flow.ends): math.log(one.gbit_per_s)
            for at, one in enumerate(samples)
            if one.gbit_per_s
        }
        cells = median_by((cell, value) for (_, cell), value in raw.items())
        levels = _levels(cells, layout, rail, effect)
        offset = {cell: min(levels.of[cell[0]], levels.of[cell[1]]) for cell in cells}
        hop = {cell: layout.hop(*cell, rail) for cell in cells}
        # The upper median: of the far pairs of four leaves, half have an end at a certain one.
        centre = median_by(
            ((hop[cell], value - offset[cell]) for cell, value in cells.items()),
            statistics.median_high,
        )
        # With two slow hosts of six most pairs have a slow end: they must not be the standard.
        centre |= median_by(
            (
                (hop[cell], value - offset[cell])
                for cell, value in cells.items()
                if levels.lagging.isdisjoint(cell)
            ),
            statistics.median_high,
        )
        expected = {cell: offset[cell] + centre[hop[cell]] for cell in cells}
        relative = {cell: value - expected[cell] for cell, value in cells.items()}
        leaf_of = {host: leaf for (host, one), leaf in layout.leaf_of.items() if one == rail}
        leaves = slow_leaves(relative, hop, leaf_of, -power.limit(effect, 0.0))
        rest = {
            cell: value - _beyond(cell, leaves, hop, leaf_of) for cell, value in relative.items()
        }
        shown = median_by((hop[cell], value) for cell, value in cells.items())
        return cls(
            rail=rail,
            effect=effect,
            cells=relative,
            each={key: value - expected[key[1]] for key, value in raw.items()},
            levels={(rail, one): math.exp(value) for one, value in shown.items()},
            slower=levels.slower,
            hop=hop,
            leaf_of=leaf_of,
            leaves=leaves,
            rest=rest,
            noise=deviation(polish(rest).left.values()),
        )

    @property
    def slow_cells(self) -> frozenset[Cell]:
        """Return the pairs that are low, whoever explains them."""
        low = -power.limit(self.effect, self.noise)
        return frozenset(cell for cell, value in self.cells.items() if value < low)

    def slow(self, samples: Sequence[Sample]) -> Iterator[Suspect]:
        """Yield leaves first, then hosts, then the pairs that neither explain."""
        for (way, leaf), value in self.leaves.items():
            yield self._leaf(way, leaf, value, samples)
        effects = polish(self.rest)
        hosts: dict[tuple[Way, str], float] = {}
        for way, side in ((Way.SENDS, effects.sends), (Way.RECEIVES, effects.receives)):
            for host, value in side.items():
                count = sum(cell[way is Way.RECEIVES] == host for cell in self.rest)
                error = power.median_error(self.noise, count)
                if value < -power.limit(self.effect, error):
                    hosts[way, host] = value
                    yield self._host(way, host, value, count, error, samples)
        low = -power.limit(self.effect, self.noise)
        for cell, value in sorted(self.rest.items()):
            known = sum(
                min(hosts[way, host], self._of_class(way, host, self.hop[cell]))
                for way, host in ((Way.SENDS, cell[0]), (Way.RECEIVES, cell[1]))
                if (way, host) in hosts
            )
            if value < low and value - known < low:
                yield self._pair(cell, value, low, samples)

    def _of_class(self, way: Way, host: str, hop: int) -> float:
        """Return a host's median in a hop class: a cap shows more where there is less other."""
        return statistics.median_high(
            value
            for cell, value in self.rest.items()
            if cell[way is Way.RECEIVES] == host and self.hop[cell] == hop
        )

    def _leaf(self, way: Way, leaf: str, value: float, samples: Sequence[Sample]) -> Suspect:
        own = {cell for cell in self.cells if leaves_by(cell, way, leaf, self.hop, self.leaf_of)}
        again = [
            number
            for (at, cell), number in self.each.items()
            if cell in own and samples[at].phase is Phase.CONFIRM
        ]
        error = power.median_error(self.noise, len(own))
        return Suspect(
            kind=Kind.SLOW,
            host="",
            way=way,
            peer="",
            rail=self.rail,
            lost=1 - math.exp(value),
            sure=min(power.normal(-value / error), SURE_MOST),
            cells=len(own),
            repeats=len(again),
            confirmed=confirmed([number < -power.limit(self.effect, error) for number in again]),
            leaf=leaf,
        )

    def _host(
        self,
        way: Way,
        host: str,
        value: float,
        count: int,
        error: float,
        samples: Sequence[Sample],
    ) -> Suspect:
        low = -power.limit(self.effect, error)
        again = [
            number
            for (at, cell), number in self.each.items()
            if cell[way is Way.RECEIVES] == host and samples[at].phase is Phase.CONFIRM
        ]
        return Suspect(
            kind=Kind.SLOW,
            host=host,
            way=way,
            peer="",
            rail=self.rail,
            lost=1 - math.exp(value),
            sure=min(power.normal(-value / error), SURE_MOST),
            cells=count,
            repeats=len(again),
            confirmed=confirmed([number < low for number in again]),
        )

    def _pair(self, cell: Cell, value: float, low: float, samples: Sequence[Sample]) -> Suspect:
        again = [
            number
            for (at, one), number in self.each.items()
            if one == cell and samples[at].phase is Phase.CONFIRM
        ]
        return Suspect(
            kind=Kind.SLOW,
            host=cell[0],
            way=None,
            peer=cell[1],
            rail=self.rail,
            lost=1 - math.exp(value),
            sure=min(power.normal(-value / self.noise), SURE_MOST),
            cells=1,
            repeats=len(again),
            confirmed=confirmed([number < low for number in again]),
        )

    def fleeting(self, samples: Sequence[Sample]) -> Iterator[tuple[str, str, str]]:
        """Yield pairs whose first figure was low and whose repetitions were not."""
        low = -power.limit(self.effect, self.noise)
        first = {
            cell
            for (at, cell), number in self.each.items()
            if number < low and samples[at].phase is Phase.SCREEN
        }
        for cell in sorted(first):
            again = [
                number
                for (at, one), number in self.each.items()
                if one == cell and samples[at].phase is Phase.CONFIRM
            ]
            if again and confirmed([number < low for number in again]) is False:
                yield (*cell, self.rail)


def _beyond(
    cell: Cell,
    leaves: Mapping[tuple[Way, str], float],
    hop: Mapping[Cell, int],
    leaf_of: Mapping[str, str],
) -> float:
    """Return what the slower of a pair's leaves takes from it."""
    taken = (
        value for (way, leaf), value in leaves.items() if leaves_by(cell, way, leaf, hop, leaf_of)
    )
    return min(taken, default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Levels:
    """What hosts can do.

    Attributes:
        of: host -> logarithm of its kind's rate.
        slower: host of a slower kind -> its kind's rate as a share of the fastest one's.
        lagging: hosts that never come near their kind's rate.
    """

    of: Mapping[str, float]
    slower: Mapping[str, float]
    lagging: frozenset[str]


def _levels(cells: Mapping[Cell, float], layout: Layout, rail: str, effect: float) -> _Levels:
    """Return host -> level: what its link is said to do, or what the best of its kind reach."""
    best = {}
    for host in sorted({host for cell in cells for host in cell}):
        own = sorted(value for cell, value in cells.items() if host in cell)
        best[host] = own[-2] if len(own) > LEAST_CELLS else own[-1]
    gap = -math.log(1 - effect / 2)
    rates = layout.rate_gbit_per_s
    if best and all((host, rail) in rates for host in best):
        level: Mapping[str, float] = {host: math.log(rates[host, rail]) for host in best}
        usual = statistics.median_high(best[host] - level[host] for host in best)
        lagging = {host for host in best if best[host] - level[host] < usual - gap}
        return _Levels(of=level, slower={}, lagging=frozenset(lagging))
    level = kinds(best, gap)
    top = max(level.values(), default=0.0)
    return _Levels(
        of=level,
        slower={host: math.exp(one - top) for host, one in sorted(level.items()) if one < top},
        lagging=frozenset(host for host in best if best[host] < level[host] - gap),
    )
