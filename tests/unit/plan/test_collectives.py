from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.plan.collectives import (
    Algorithm,
    Collective,
    Links,
    Shape,
    bus_factor,
    crossing_factor,
    estimate,
    placement_factor,
)

GIB = 2**30
B200 = Links(network_gb_per_s=50, nvlink_gb_per_s=900, hop_seconds=0, sharp_seconds=0)


def milliseconds(collective, algorithm, gib, shape, links=B200):
    found = estimate(collective, algorithm, gib * GIB, shape, links)
    return round(found.least_seconds * 1e3, 1), round(found.most_seconds * 1e3, 1)


@pytest.mark.parametrize(
    ("gib", "nodes", "algorithm", "bracket"),
    [
        # By hand, 4 GiB on 4 nodes: NVLink 2·7/8·4.295 GB / 738 GB/s = 10.2 ms;
        # network 2·3/4·4.295/8 GB / 40 GB/s = 20.1 ms. Measured on B200: 22.05 ms.
        (4, 4, Algorithm.HIERARCHICAL, (20.1, 30.3)),
        (4, 32, Algorithm.HIERARCHICAL, (26.0, 36.2)),
        (4, 128, Algorithm.HIERARCHICAL, (26.6, 36.8)),
        (1, 32, Algorithm.HIERARCHICAL, (6.5, 9.0)),
        (4, 4, Algorithm.SHARP, (13.4, 23.6)),
        (4, 128, Algorithm.SHARP, (13.4, 23.6)),
        (1, 32, Algorithm.SHARP, (3.4, 5.9)),
        # 2·31/32·4.295/8 GB / 40 GB/s = 26.0 ms; NVLink beside it takes 11.3 ms.
        (4, 4, Algorithm.RING, (26.0, 26.0)),
        # One node: NVLink alone, 2·7/8·4.295 GB / 738 GB/s.
        (4, 1, Algorithm.RING, (10.2, 10.2)),
        (4, 1, Algorithm.HIERARCHICAL, (10.2, 10.2)),
    ],
)
def test_all_reduce_takes_what_was_worked_out_by_hand(gib, nodes, algorithm, bracket):
    shape = Shape(nodes=nodes, ranks_per_node=8)
    assert milliseconds(Collective.ALL_REDUCE, algorithm, gib, shape) == bracket


@pytest.mark.parametrize("collective", [Collective.ALL_GATHER, Collective.REDUCE_SCATTER])
def test_gather_and_scatter_are_half_an_all_reduce(collective):
    shape = Shape(nodes=4, ranks_per_node=8)
    assert milliseconds(collective, Algorithm.HIERARCHICAL, 4, shape) == (10.1, 15.2)


def test_all_to_all_leaves_the_node_but_for_the_nodes_own_share():
    # 1 GiB on 4 nodes of 8: 24/32 leave at 40 GB/s, 20.1 ms; 7/32 stay at 738 GB/s, 0.3 ms.
    shape = Shape(nodes=4, ranks_per_node=8)
    assert milliseconds(Collective.ALL_TO_ALL, Algorithm.RING, 1, shape) == (20.1, 20.5)


def test_without_nvlink_every_gpu_is_as_if_alone_on_a_node():
    alone = replace(B200, nvlink_gb_per_s=None)
    for algorithm in Algorithm:
        on_nodes = estimate(
            Collective.ALL_REDUCE, algorithm, GIB, Shape(nodes=2, ranks_per_node=4), alone
        )
        spread = estimate(
            Collective.ALL_REDUCE, algorithm, GIB, Shape(nodes=8, ranks_per_node=1), B200
        )
        assert on_nodes == spread


def test_bandwidths_are_those_of_nccl_tests():
    shape = Shape(nodes=2, ranks_per_node=1)
    found = estimate(Collective.ALL_REDUCE, Algorithm.RING, 40e9, shape, B200)
    # S/(g·B) · 2(n-1)/n = 40 GB / 40 GB/s: one second.
    assert found.most_seconds == pytest.approx(1.0)
    assert found.algbw_gb_per_s == pytest.approx(40.0)
    assert found.busbw_gb_per_s == pytest.approx(40.0)
    assert bus_factor(Collective.ALL_REDUCE, 8) == 1.75
    assert bus_factor(Collective.ALL_TO_ALL, 8) == 0.875


def test_latency_grows_with_the_ring_and_with_the_logarithm_of_the_levels():
    links = replace(B200, hop_seconds=1e-5, sharp_seconds=3e-5)
    shape = Shape(nodes=8, ranks_per_node=8)
    found = {
        algorithm: estimate(Collective.ALL_REDUCE, algorithm, 8, shape, links).latency_seconds
        for algorithm in Algorithm
    }
    assert found == {
        Algorithm.RING: pytest.approx(14e-5),
        Algorithm.HIERARCHICAL: pytest.approx(6e-5),
        Algorithm.SHARP: pytest.approx(3e-5),
    }


def test_one_rank_takes_no_time():
    found = estimate(
        Collective.ALL_REDUCE, Algorithm.RING, 8, Shape(nodes=1, ranks_per_node=1), B200
    )
    assert (found.most_seconds, found.busbw_gb_per_s) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("oversubscription", "exits", "members", "factor"),
    [
        ({}, {}, {}, 1.0),
        # Depth first, 8 nodes on a leaf of 4:1: one flow on an uplink of two nodes' worth.
        ({"a": 4.0}, {"a": 1, "b": 1}, {"a": 8, "b": 8}, 1.0),
        # Every step leaves the leaf: the whole oversubscription.
        ({"a": 4.0, "b": 2.0}, {"a": 8, "b": 8}, {"a": 8, "b": 8}, 4.0),
        ({"a": 4.0}, {"a": 4}, {"a": 8}, 2.0),
        ({}, {"a": 8}, {"a": 8}, 1.0),
    ],
)
def test_ring_is_slowed_down_by_its_fullest_uplink(oversubscription, exits, members, factor):
    assert crossing_factor(oversubscription, exits, members) == factor


@pytest.mark.parametrize(
    ("oversubscription", "members", "factor"),
    [
        ({}, {"a": 1}, 1.0),
        ({"a": 4.0}, {"a": 16}, 1.0),
        # 8 of 16 nodes on a leaf of 4:1: 8/16 leave it, where 15/16 leave the node.
        ({"a": 4.0, "b": 4.0}, {"a": 8, "b": 8}, 4.0 * 8 / 15),
    ],
)
def test_all_to_all_is_slowed_down_by_where_the_nodes_are(oversubscription, members, factor):
    assert placement_factor(oversubscription, members) == pytest.approx(factor)


numbers = st.floats(1.0, 1e4)
sizes = st.floats(1.0, 1e12)
shapes = st.builds(
    Shape,
    nodes=st.integers(1, 512),
    ranks_per_node=st.integers(1, 16),
    crossing_factor=st.floats(1.0, 16.0),
)
hardware = st.builds(Links, network_gb_per_s=numbers, nvlink_gb_per_s=st.none() | numbers)
runs = st.sampled_from(
    [(one, other) for one in Collective for other in (Algorithm.RING, Algorithm.HIERARCHICAL)]
    + [(Collective.ALL_REDUCE, Algorithm.SHARP)]
)


@given(runs, sizes, shapes, hardware)
def test_bracket_is_one_and_holds_its_parts(run, size, shape, links):
    found = estimate(*run, size, shape, links)
    assert 0 <= found.least_seconds <= found.most_seconds
    assert found.network_seconds <= found.least_seconds
    assert found.nvlink_seconds <= found.least_seconds


@given(runs, sizes, st.floats(1.0, 100.0), shapes, hardware)
def test_more_bytes_never_take_less_time(run, size, times, shape, links):
    small, large = (estimate(*run, one, shape, links) for one in (size, size * times))
    assert small.most_seconds <= large.most_seconds
    assert small.least_seconds <= large.least_seconds


@given(runs, sizes, shapes, hardware, st.floats(1.0, 10.0))
def test_faster_hardware_never_takes_more_time(run, size, shape, links, times):
    faster = replace(links, network_gb_per_s=links.network_gb_per_s * times)
    slow, fast = (estimate(*run, size, shape, one).most_seconds for one in (links, faster))
    assert fast <= slow


@given(runs, sizes, shapes, hardware)
def test_crossings_never_take_less_time(run, size, shape, links):
    plain = replace(shape, crossing_factor=1.0)
    least, most = (estimate(*run, size, one, links).most_seconds for one in (plain, shape))
    assert least <= most


@given(sizes, shapes, hardware)
def test_sharp_moves_half_of_what_many_nodes_move_without(size, shape, links):
    assume(shape.nodes > 1)
    plain, sharp = (
        estimate(Collective.ALL_REDUCE, one, size, shape, links).network_seconds
        for one in (Algorithm.HIERARCHICAL, Algorithm.SHARP)
    )
    k = shape.nodes if links.nvlink_gb_per_s is not None else shape.ranks
    assert plain / sharp == pytest.approx(2 * (k - 1) / k)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 0}, "size_bytes is 0, not above 0"),
        ({"nodes": 0}, "nodes is 0, not above 0"),
        ({"links": replace(B200, network_gb_per_s=0)}, "network_gb_per_s is 0"),
        ({"links": replace(B200, nvlink_gb_per_s=float("nan"))}, "nvlink_gb_per_s is nan"),
        ({"factor": 0.5}, "crossing_factor is 0.5, not 1 or more"),
        (
            {"collective": Collective.ALL_GATHER, "algorithm": Algorithm.SHARP},
            "estimate all-gather with SHARP: the model has it for all-reduce alone",
        ),
    ],
)
def test_number_that_cannot_be_is_refused(change, said):
    shape = Shape(
        nodes=change.get("nodes", 1), ranks_per_node=1, crossing_factor=change.get("factor", 1.0)
    )
    with pytest.raises(InputError, match=said):
        estimate(
            change.get("collective", Collective.ALL_REDUCE),
            change.get("algorithm", Algorithm.RING),
            change.get("size", 1),
            shape,
            change.get("links", B200),
        )
