"""The order of a job's ranks on a network, and what another order would cost; pure.

The order itself is that of the job programs (`sunk_jobs.placement.rank_map`), so that a plan made
here and one made on a compute node from the same topology agree. Here it works on the topology
file, with rails and NVLink domains, and says how often a ring over the nodes leaves each place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.topology import Topology
from sunk.plan.fabric import NVLINK, Fabric, fabric
from sunk_jobs.placement.ordering import Group, natural, ring_exits
from sunk_jobs.placement.rank_map import RankMap, RankMapError, plan_map


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """How often a ring over nodes leaves places of one kind.

    Attributes:
        total: over all places.
        worst: of the place that is left most often.
    """

    total: int
    worst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """Exits at one level.

    Attributes:
        level: ``nvlink``, or ``tier 0`` for leaves, ``tier 1`` above.
        places: how many places the job is on. A node that is in none counts as one of its own.
        planned: of the planned order; the least that any order has, unless segments part nodes of
            one place.
        realised: of the order at hand; None when none was given.
        possible: of the worst order of the same nodes.
    """

    level: str
    places: int
    planned: Exits
    realised: Exits | None
    possible: Exits


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """A planned order and what it is worth.

    Attributes:
        ranks: the planned map.
        crossings: for each level that the topology has, smallest places first.
    """

    ranks: RankMap
    crossings: tuple[Crossings, ...]


def plan_ranks(
    topology: Topology,
    nodes: Sequence[str],
    ranks_per_node: int | Mapping[str, int],
    *,
    segment_nodes: int | None = None,
    realised: Sequence[str] | None = None,
) -> OrderReport:
    """Return the order that keeps neighbours close, and how it compares.

    Args:
        topology: valid.
        nodes: the job's NodeNames in Slurm, in any order. One that the topology does not have goes
            to the end, and is named as unknown.
        ranks_per_node: one number for all, or one for each node.
        segment_nodes: nodes of a segment, as in ``sbatch --segment``.
        realised: the nodes in the order in which a run had them; the same nodes.

    Raises:
        InputError: a node stands twice, a number is below 1, or `realised` has other nodes.
    """
    places = slurm_groups(topology, fabric(topology))
    try:
        ranks = plan_map(places, nodes, ranks_per_node, segment_nodes)
    except RankMapError as exc:
        raise InputError(f"plan the order of ranks: {exc}") from exc
    if realised is not None and sorted(realised) != sorted(nodes):
        odd = sorted({*realised} ^ {*nodes}, key=natural)
        raise InputError(
            "compare the realised order: it has not the same nodes, each once"
            + (f"; only one has {odd[0]}" if odd else "")
        )
    levels = places_by_level(places, nodes)
    crossings = tuple(
        _crossings(level, place, ranks.order(), realised) for level, place in levels.items()
    )
    return OrderReport(ranks=ranks, crossings=crossings)


def slurm_groups(topology: Topology, places: Fabric) -> tuple[Group, ...]:
    """Return the places of a network with nodes by their names in Slurm; nameless ones left out."""
    names = {one.name: one.slurm_name for one in topology.nodes if one.slurm_name is not None}
    return tuple(_renamed(group, names) for group in places.groups)


def _renamed(group: Group, names: Mapping[str, str]) -> Group:
    nodes = tuple(names[node] for node in group.nodes if node in names)
    inside = tuple(_renamed(one, names) for one in group.groups)
    return Group(group.name, group.kind, group.level, nodes, inside)


def places_by_level(groups: Sequence[Group], nodes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return for each level, smallest places first, where each of the job's nodes is."""
    wanted = set(nodes)
    found: dict[tuple[int, str], dict[str, str]] = {}
    for top in groups:
        for group in top.walk():
            level = "nvlink" if group.kind == NVLINK else f"tier {group.level}"
            place = found.setdefault((group.level, level), {})
            place.update({node: group.name for node in group.members() if node in wanted})
    return {level: place for (_, level), place in sorted(found.items())}


def _crossings(
    level: str, place: Mapping[str, str], planned: Sequence[str], realised: Sequence[str] | None
) -> Crossings:
    def where(node: str) -> str:
        # A name with a blank is none that a place can have.
        return place.get(node, f"alone {node}")

    counts = Counter(map(where, planned))
    return Crossings(
        level=level,
        places=len(counts),
        planned=_exits(ring_exits(planned, where)),
        realised=None if realised is None else _exits(ring_exits(realised, where)),
        possible=worst_exits(tuple(counts.values())),
    )


def _exits(found: Mapping[str, int]) -> Exits:
    return Exits(total=sum(found.values()), worst=max(found.values(), default=0))


def worst_exits(populations: Sequence[int]) -> Exits:
    """Return how often the worst ring leaves places with so many nodes each.

    While no place has more than half of the nodes, some ring leaves a place at every step. A place
    that has more keeps neighbours together: only the others part its nodes, each on two sides. One
    place alone is left at most once for each of its nodes, and for each of the others.
    """
    nodes = sum(populations)
    largest = max(populations, default=0)
    total = nodes if largest * 2 <= nodes else 2 * (nodes - largest)
    return Exits(total=total, worst=max((min(one, nodes - one) for one in populations), default=0))
