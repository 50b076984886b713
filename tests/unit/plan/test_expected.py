from __future__ import annotations

from dataclasses import replace

import pytest

from sunk.model.topology import NvlinkDomain, Topology
from sunk.plan.collectives import Algorithm, Collective, Links, Shape, estimate
from sunk.plan.expected import expected_all_reduce
from sunk.render.topology import read_topology
from tests.support.topologies import EVERYTHING, leaves

# Nodes with two adapters of 400 Gbit/s: 100 GB/s; racks of four nodes, two of them with NVLink.
ALPHA = read_topology(EVERYTHING, source="t")
PAIR = ["w-0", "w-4"]
GIB = 2**30


def times(topology: Topology, order: list[str], ranks: int) -> dict:
    found = expected_all_reduce(topology, order, ranks, GIB)
    assert found.lacking == ""
    return dict(found.times)


def wanted(shape: Shape, links: Links) -> dict:
    return {one: estimate(Collective.ALL_REDUCE, one, GIB, shape, links) for one in Algorithm}


def test_ranks_of_a_node_share_its_adapters():
    # One of four nodes of a leaf: its share of the uplinks is half of its adapters.
    links = Links(network_gb_per_s=12.5, nvlink_gb_per_s=900)
    shape = Shape(nodes=2, ranks_per_node=8, crossing_factor=2.0)
    assert times(ALPHA, PAIR, 8) == wanted(shape, links)


def test_nodes_of_one_nvlink_domain_are_like_one_node():
    order = ["w-0", "w-1", "w-4", "w-5"]
    links = Links(network_gb_per_s=12.5, nvlink_gb_per_s=900)
    assert times(ALPHA, order, 8) == wanted(Shape(nodes=2, ranks_per_node=16), links)


def test_one_rank_on_each_node_of_different_domains_needs_no_nvlink():
    order = [f"w-{at}" for at in (0, 8)]
    shape = Shape(nodes=2, ranks_per_node=1, crossing_factor=2.0)
    assert times(ALPHA, order, 1) == wanted(shape, Links(network_gb_per_s=100))


def test_order_that_crosses_oversubscribed_leaves_takes_longer():
    near = [f"w-{at}" for at in range(8)]
    far = [f"w-{at // 2 + 4 * (at % 2)}" for at in range(8)]
    slow, fast = (times(ALPHA, one, 8)[Algorithm.RING].network_seconds for one in (far, near))
    assert slow == pytest.approx(2 * fast)


@pytest.mark.parametrize(
    ("topology", "order", "ranks", "lacking"),
    [
        (ALPHA, ["w-0", "x"], 8, "nodes that it does not have"),
        (leaves(2, 2), ["w-0", "w-2"], 8, "count and rate of the nodes' links"),
        (ALPHA, ["w-0", "w-8"], 8, "one NVLink rate of all of the job's nodes"),
        (
            replace(ALPHA, nvlink_domains=(NvlinkDomain(name="d", nodes=("w-0", "w-4")),)),
            PAIR,
            1,
            "one NVLink rate of all of the job's nodes",
        ),
    ],
)
def test_topology_that_does_not_say_enough_is_not_guessed_at(topology, order, ranks, lacking):
    found = expected_all_reduce(topology, order, ranks, GIB)
    assert (found.times, found.lacking) == ({}, lacking)
