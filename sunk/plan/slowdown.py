"""How much the places of a job's nodes slow its collectives down; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sunk.model.topology import Topology
from sunk.plan.collectives import crossing_factor, placement_factor
from sunk.plan.fabric import fabric
from sunk.plan.rank_order import places_by_level, slurm_groups
from sunk_jobs.placement.ordering import ring_exits


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """Factors on the time that the network takes, at least 1.

    Attributes:
        crossing: of rings over the nodes in their order.
        placement: of all-to-alls; the order makes no difference to it.
    """

    crossing: float
    placement: float


def slowdown(topology: Topology, order: Sequence[str]) -> Slowdown:
    """Return what a network does to a job.

    Places whose oversubscription is not known are taken as not oversubscribed.

    Args:
        topology: valid.
        order: the job's NodeNames in the order of their ranks.
    """
    places = fabric(topology, nvlink=False)
    crossing = placement = 1.0
    for where in places_by_level(slurm_groups(topology, places), order).values():
        known = [node for node in order if node in where]
        members = Counter(where[node] for node in known)
        exits = ring_exits(known, where.__getitem__)
        crossing = max(crossing, crossing_factor(places.oversubscription, exits, members))
        placement = max(placement, placement_factor(places.oversubscription, members))
    return Slowdown(crossing=crossing, placement=placement)
