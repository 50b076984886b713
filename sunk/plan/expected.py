"""What a job's all-reduce should take where its nodes are, from the topology alone; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sunk.model.topology import Topology
from sunk.plan.collectives import Algorithm, Collective, Estimate, Links, Shape, estimate
from sunk.plan.slowdown import slowdown

ALGORITHMS = (Algorithm.RING, Algorithm.HIERARCHICAL, Algorithm.SHARP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Times of an all-reduce; nothing when the topology does not say enough.

    Attributes:
        times: for each algorithm.
        lacking: what the topology would have to say; empty when it does.
    """

    times: Mapping[Algorithm, Estimate]
    lacking: str = ""


def expected_all_reduce(
    topology: Topology, order: Sequence[str], ranks_per_node: int, size_bytes: float
) -> Expected:
    """Return what an all-reduce over the ranks of a job should take.

    Args:
        topology: valid.
        order: the job's NodeNames in the order of their ranks.
        ranks_per_node: ranks on each node, one for each GPU.
        size_bytes: S, as `sunk.plan.collectives` counts it.
    """
    named = {one.slurm_name: one.name for one in topology.nodes}
    nodes = [named[node] for node in order if node in named]
    if len(nodes) < len(order):
        return Expected(times={}, lacking="nodes that it does not have")
    network = _network_gb_per_s(topology, nodes, ranks_per_node)
    if network is None:
        return Expected(times={}, lacking="count and rate of the nodes' links")
    domains = _domains(topology, nodes)
    nvlink = None
    if ranks_per_node > 1 or len(domains) < len(nodes):
        rates = {rate for rate, _ in domains.values()}
        if None in rates or len(rates) != 1:
            return Expected(times={}, lacking="one NVLink rate of all of the job's nodes")
        nvlink = rates.pop()
    together = {count for _, count in domains.values()}
    # Nodes of one NVLink domain are like one node, when each domain has as many of them.
    each = together.pop() if len(together) == 1 else 1
    shape = Shape(
        nodes=len(nodes) // each,
        ranks_per_node=each * ranks_per_node,
        crossing_factor=slowdown(topology, order).crossing,
    )
    links = Links(network_gb_per_s=network, nvlink_gb_per_s=nvlink)
    return Expected(
        times={
            one: estimate(Collective.ALL_REDUCE, one, size_bytes, shape, links)
            for one in ALGORITHMS
        }
    )


def _network_gb_per_s(topology: Topology, nodes: Sequence[str], ranks: int) -> float | None:
    """Return a rank's share of the adapters of the slowest node."""
    totals = dict.fromkeys(nodes, 0.0)
    for link in topology.links:
        if link.lower in totals:
            if link.gb_per_s is None:
                return None
            totals[link.lower] += link.gb_per_s
    return min(totals.values()) / ranks or None


def _domains(topology: Topology, nodes: Sequence[str]) -> dict[str, tuple[float | None, int]]:
    """Return rate and number of the job's nodes in each NVLink domain; a node alone is its own."""
    where = {node: one for one in topology.nvlink_domains for node in one.nodes}
    counts = Counter(where[node].name if node in where else f"alone {node}" for node in nodes)
    rates = {one.name: one.gb_per_s_per_gpu for one in topology.nvlink_domains}
    return {name: (rates.get(name), count) for name, count in counts.items()}
