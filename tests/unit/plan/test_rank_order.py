from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.topology import NvlinkDomain, SlurmForm
from sunk.plan.rank_order import Crossings, Exits, plan_ranks, worst_exits
from sunk.render.topology_slurm import render_slurm
from sunk_jobs.placement.ordering import groups_of, ring_exits
from sunk_jobs.placement.rank_map import plan_map
from sunk_jobs.placement.slurm_topology import read
from tests.support.topologies import leaves


def by_name(topology) -> list[str]:
    return sorted(node.slurm_name for node in topology.nodes)


def test_report_compares_planned_realised_and_worst_at_every_level():
    # Two leaves of six below one spine; names sort w-0, w-1, w-10, w-11, w-2 as text.
    topology = leaves(6, 6)
    report = plan_ranks(topology, by_name(topology), 8, realised=by_name(topology))
    assert report.ranks.order() == [f"w-{number}" for number in range(12)]
    assert report.crossings == (
        Crossings(
            level="tier 0",
            places=2,
            planned=Exits(total=2, worst=1),
            realised=Exits(total=4, worst=2),
            possible=Exits(total=12, worst=6),
        ),
        Crossings(
            level="tier 1",
            places=1,
            planned=Exits(total=0, worst=0),
            realised=Exits(total=0, worst=0),
            possible=Exits(total=0, worst=0),
        ),
    )


@pytest.mark.parametrize(
    ("nodes", "per_leaf", "planned", "as_text"),
    [
        (32, 8, Exits(total=4, worst=1), Exits(total=10, worst=4)),
        (64, 16, Exits(total=4, worst=1), Exits(total=14, worst=6)),
        (128, 16, Exits(total=8, worst=1), Exits(total=29, worst=12)),
        (256, 32, Exits(total=8, worst=1), Exits(total=51, worst=23)),
    ],
)
def test_order_of_unpadded_names_as_text_crosses_leaves_many_times(
    nodes, per_leaf, planned, as_text
):
    """What torchrun's c10d rendezvous does: it sorts host names as text."""
    topology = leaves(*[per_leaf] * (nodes // per_leaf))
    report = plan_ranks(topology, by_name(topology), 1, realised=by_name(topology))
    assert (report.crossings[0].planned, report.crossings[0].realised) == (planned, as_text)


def test_nvlink_domain_is_the_smallest_place():
    topology = leaves(4, 4, nvlink=2)
    topology = replace(
        topology,
        nvlink_domains=(
            NvlinkDomain(name="d0", nodes=("w-0", "w-2")),
            NvlinkDomain(name="d1", nodes=("w-1", "w-3")),
        ),
    )
    report = plan_ranks(topology, by_name(topology), 1)
    assert report.ranks.order() == ["w-0", "w-2", "w-1", "w-3", "w-4", "w-5", "w-6", "w-7"]
    assert [one.level for one in report.crossings] == ["nvlink", "tier 0", "tier 1"]


def test_unknown_node_counts_as_a_place_of_its_own():
    report = plan_ranks(leaves(2, 2), ["w-0", "w-1", "x-1"], 1)
    assert report.ranks.unknown == ("x-1",)
    assert report.crossings[0].places == 2
    assert report.crossings[0].planned == Exits(total=2, worst=1)


@pytest.mark.parametrize(
    ("realised", "said"),
    [
        (
            ["w-0"],
            "compare the realised order: it has not the same nodes, each once; only one has w-1",
        ),
        (["w-0", "w-0"], "only one has w-1"),
        (["w-0", "w-1", "w-1"], "compare the realised order: it has not the same nodes, each once"),
    ],
)
def test_realised_order_of_other_nodes_is_refused(realised, said):
    with pytest.raises(InputError) as raised:
        plan_ranks(leaves(2), ["w-0", "w-1"], 1, realised=realised)
    assert said in raised.value.message


def test_node_that_stands_twice_is_refused():
    with pytest.raises(InputError, match="plan the order of ranks: node w-0 stands in"):
        plan_ranks(leaves(2), ["w-0", "w-0"], 1)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) <= 7))
def test_worst_order_is_as_bad_as_said_and_no_worse(sizes):
    """Brute force over every ring."""
    nodes = [
        f"{place}{at}" for place, size in zip("abcd", sizes, strict=False) for at in range(size)
    ]
    first, *rest = nodes
    rings = [
        ring_exits((first, *others), lambda node: node[0])
        for others in itertools.permutations(rest)
    ]
    found = worst_exits(sizes)
    assert found.total == max(sum(exits.values()) for exits in rings)
    assert found.worst == max(max(exits.values(), default=0) for exits in rings)


@st.composite
def jobs(draw: st.DrawFn):
    topology = leaves(
        *draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)),
        per_pod=draw(st.integers(1, 3)),
        nvlink=draw(st.none() | st.integers(1, 3)),
    )
    names = [node.slurm_name for node in topology.nodes]
    return topology, draw(st.lists(st.sampled_from([*names, "x-1"]), unique=True, min_size=1))


@given(jobs(), st.randoms())
def test_any_other_order_crosses_at_least_as_often_and_at_most_as_the_worst(job, shuffle):
    topology, nodes = job
    mixed = list(nodes)
    shuffle.shuffle(mixed)
    for one in plan_ranks(topology, nodes, 1, realised=mixed).crossings:
        assert one.realised is not None
        assert one.planned.total <= one.realised.total <= one.possible.total
        assert one.planned.worst <= one.realised.worst <= one.possible.worst


@given(jobs())
def test_plan_on_a_compute_node_from_what_slurm_prints_is_the_same(job):
    topology, nodes = job
    topology = replace(topology, nvlink_domains=())
    on_node = groups_of(read(render_slurm(topology, SlurmForm.TREE)))
    assert plan_map(on_node, nodes, 2) == plan_ranks(topology, nodes, 2).ranks


def test_order_is_the_same_whatever_order_the_nodes_are_given_in():
    topology = leaves(3, 3)
    nodes = by_name(topology)
    assert plan_ranks(topology, nodes, 1) == plan_ranks(topology, nodes[::-1], 1)
