"""From samples to an assessment; pure.

Nothing is a fault that was seen once: it is repeated, and the repetitions decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sunk_fabric.active.layout import Layout
from sunk_fabric.active.lost import cut, lossy
from sunk_fabric.active.samples import Sample
from sunk_fabric.active.slow import Matrix
from sunk_fabric.active.suspects import Assessment, Suspect


def assess(samples: Sequence[Sample], layout: Layout, effect: float) -> Assessment:
    """Return what samples say.

    Args:
        samples: of all rounds so far.
        layout: where the hosts are.
        effect: share of the rate whose loss is a fault.
    """
    suspects: list[Suspect] = []
    levels: dict[tuple[str, int], float] = {}
    relative: dict[tuple[str, str, str], float] = {}
    slower: dict[str, float] = {}
    fleeting: list[tuple[str, str, str]] = []
    noises = []
    for rail in layout.rails:
        own = [one for one in samples if one.flow.rail == rail]
        gone = cut(own, layout.hosts, rail)
        matrix = Matrix.of(own, layout, rail, effect)
        suspects += [*gone, *lossy(own, rail, matrix.slow_cells), *matrix.slow(own)]
        levels |= matrix.levels
        relative |= {(rail, *cell): math.exp(value) for cell, value in matrix.cells.items()}
        slower |= {host: min(share, slower.get(host, 1.0)) for host, share in matrix.slower.items()}
        fleeting += matrix.fleeting(own)
        noises.append(matrix.noise)
    return Assessment(
        levels=levels,
        noise=max(noises, default=0.0),
        slower_kinds=slower,
        suspects=tuple(sorted(suspects, key=_order)),
        fleeting=tuple(sorted(fleeting)),
        relative=relative,
    )


def _order(one: Suspect) -> tuple[str, ...]:
    return (one.kind, one.host, one.way or "", one.peer, one.leaf, one.rail)
