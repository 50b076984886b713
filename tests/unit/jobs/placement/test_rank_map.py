from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.placement.ordering import Group
from sunk_jobs.placement.rank_map import (
    NodeRanks,
    RankMap,
    RankMapError,
    dump_map,
    load_map,
    plan_map,
)

LEAVES = (
    Group("leaf-1", "switch", 0, ("w-1", "w-10", "w-4")),
    Group("leaf-2", "switch", 0, ("w-2", "w-3", "w-11")),
)
ALL = ["w-1", "w-2", "w-3", "w-4", "w-10", "w-11"]


def test_nodes_of_a_leaf_are_neighbours_and_names_count_as_numbers():
    planned = plan_map(LEAVES, ALL, 2)
    assert planned.order() == ["w-1", "w-4", "w-10", "w-2", "w-3", "w-11"]
    assert planned.nodes[2] == NodeRanks("w-10", 4, 2)
    assert planned.node_rank("w-10") == 2
    assert planned.node_rank("w-99") is None


def test_unknown_nodes_go_to_the_end_in_natural_order_and_are_named():
    planned = plan_map(LEAVES, ["x-10", "w-2", "x-9", "w-1"], 1)
    assert planned.order() == ["w-1", "w-2", "x-9", "x-10"]
    assert planned.unknown == ("x-9", "x-10")


def test_segments_stay_in_one_place_and_the_rest_comes_after_them():
    planned = plan_map(LEAVES, ["x-1", *ALL], 1, segment_nodes=2)
    assert planned.order() == ["w-1", "w-4", "w-2", "w-3", "w-10", "w-11", "x-1"]
    assert planned.outside == ("w-10", "w-11")
    assert planned.unknown == ("x-1",)


def test_nodes_may_have_different_numbers_of_ranks():
    planned = plan_map(LEAVES, ["w-2", "w-1"], {"w-1": 1, "w-2": 3})
    assert planned.nodes == (NodeRanks("w-1", 0, 1), NodeRanks("w-2", 1, 3))
    assert planned.hosts() == ["w-1", "w-2", "w-2", "w-2"]
    assert planned.hostfile() == "w-1\nw-2\nw-2\nw-2\n"


@pytest.mark.parametrize(
    ("nodes", "ranks", "segment", "said"),
    [
        (["w-1", "w-1"], 1, None, "node w-1 stands in the job's list twice"),
        (["w-1"], 0, None, "node w-1 gets 0 ranks: wanted 1 or more"),
        (["w-1", "w-2"], {"w-1": 1}, None, "node w-2 gets 0 ranks: wanted 1 or more"),
        (["w-1"], 1, 0, "a segment of 0 nodes: wanted 1 or more"),
    ],
)
def test_map_that_cannot_be_made_is_refused(nodes, ranks, segment, said):
    with pytest.raises(RankMapError) as raised:
        plan_map(LEAVES, nodes, ranks, segment)
    assert str(raised.value) == said


@given(
    nodes=st.lists(st.sampled_from([*ALL, "x-1", "x-2"]), unique=True),
    ranks=st.integers(1, 3),
    segment=st.none() | st.integers(1, 3),
)
def test_map_holds_every_node_once_and_survives_its_file(nodes, ranks, segment):
    planned = plan_map(LEAVES, nodes, ranks, segment)
    assert sorted(planned.order()) == sorted(nodes)
    assert planned.size == len(nodes) * ranks
    assert load_map(dump_map(planned)) == planned


@given(segment=st.integers(1, 4), nodes=st.lists(st.sampled_from(ALL), unique=True))
def test_each_whole_segment_is_in_one_leaf(segment, nodes):
    planned = plan_map(LEAVES, nodes, 1, segment)
    whole = planned.order()[: len(nodes) - len(planned.outside)]
    assert len(whole) % segment == 0
    for at in range(0, len(whole), segment):
        part = set(whole[at : at + segment])
        assert any(part <= set(leaf.nodes) for leaf in LEAVES)


GOOD = json.loads(dump_map(plan_map(LEAVES, ["w-1", "w-2"], 2)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "x"}, "not a map of ranks"),
        ({"version": 2}, "version 2: this program reads 1"),
        ({"nodes": 1}, "nodes: not a list"),
        ({"nodes": [1]}, r"nodes\[0\]: not a mapping"),
        ({"nodes": [{"node": "", "firstRank": 0, "ranks": 1}]}, r"nodes\[0\]\.node: not a name"),
        ({"nodes": [{"node": "a", "firstRank": 0, "ranks": 0}]}, r"nodes\[0\]: firstRank"),
        ({"nodes": [{"node": "a", "firstRank": 1, "ranks": 1}]}, "node a begins with 1, not 0"),
        (
            {
                "nodes": [
                    {"node": "a", "firstRank": 0, "ranks": 1},
                    {"node": "a", "firstRank": 1, "ranks": 1},
                ]
            },
            "a node stands there twice",
        ),
        ({"unknown": ["z"]}, "unknown: 'z' is none of the nodes"),
    ],
)
def test_damaged_map_is_refused(change, said):
    with pytest.raises(RankMapError, match=said):
        load_map(json.dumps(GOOD | change))


@given(st.text(max_size=30))
def test_any_text_is_a_map_or_refused(text):
    try:
        load_map(text)
    except RankMapError:
        return


def test_empty_job_has_an_empty_map():
    assert plan_map(LEAVES, [], 1) == RankMap(())
