from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.placement.ordering import Group, depth_first, groups_of, natural, ring_exits
from sunk_jobs.placement.slurm_topology import read

SMALL = 6
"""Nodes: all 120 rings over them are tried."""


@st.composite
def forests(draw: st.DrawFn) -> tuple[tuple[Group, ...], list[str]]:
    """Groups of three levels over few nodes with unpadded names, some of them in no group."""
    names = [f"w-{number}" for number in draw(st.permutations(range(5, 5 + SMALL)))]
    leaf_of = {name: draw(st.integers(0, 3)) for name in names}
    pod_of = {leaf: draw(st.integers(0, 1)) for leaf in range(3)}
    pods: dict[int, list[Group]] = {}
    for leaf, pod in pod_of.items():
        nodes = tuple(name for name in names if leaf_of[name] == leaf)
        pods.setdefault(pod, []).append(Group(f"leaf-{leaf}", "switch", 0, nodes))
    tops = [Group(f"pod-{pod}", "switch", 1, (), tuple(inner)) for pod, inner in pods.items()]
    return tuple(tops), names


def place_in(groups, level):
    found = {
        node: group.name
        for top in groups
        for group in top.walk()
        if group.level == level
        for node in group.members()
    }
    return lambda node: found.get(node, node)


def total(order, groups, level):
    return sum(ring_exits(order, place_in(groups, level)).values())


@given(forests())
def test_depth_first_order_leaves_places_no_oftener_than_any_other_order(forest):
    """Brute force over every ring, at every level at once."""
    groups, names = forest
    order, unknown = depth_first(groups, names)
    planned = [*order, *unknown]
    first, *rest = names
    rings = [(first, *others) for others in itertools.permutations(rest)]
    for level in (0, 1):
        best = min(total(ring, groups, level) for ring in rings)
        assert total(planned, groups, level) == best


@given(forests(), st.data())
def test_every_wanted_node_is_ordered_or_unknown_and_no_other(forest, data):
    groups, names = forest
    wanted = data.draw(st.lists(st.sampled_from([*names, "x-1", "x-2"]), unique=True))
    order, unknown = depth_first(groups, wanted)
    assert sorted([*order, *unknown]) == sorted(wanted)
    placed = {node for group in groups for node in group.members()}
    assert set(unknown) == set(wanted) - placed


@given(forests(), st.randoms())
def test_order_does_not_depend_on_the_order_of_anything_given(forest, shuffle):
    groups, names = forest
    mixed = list(names)
    shuffle.shuffle(mixed)
    assert depth_first(groups, names) == depth_first(groups[::-1], mixed)


@pytest.mark.parametrize(
    "names",
    [
        ["w-2", "w-10"],
        ["w-1", "w-01", "w-2"],
        ["a", "a1", "b"],
        ["gpu9", "gpu10", "gpu100"],
        ["r1n2", "r1n10", "r2n1"],
        ["9", "10", "a"],
    ],
)
def test_numbers_in_names_count_as_numbers(names):
    wanted = names if names != ["w-1", "w-01", "w-2"] else ["w-01", "w-1", "w-2"]
    assert sorted(names, key=natural) == wanted


def test_number_of_any_length_is_a_key():
    assert natural("w" + "9" * 5000) > natural("w1")


def test_leaves_of_one_pod_follow_each_other_in_slurms_tree():
    groups = groups_of(
        read(
            "SwitchName=a Nodes=w-[1,4]\nSwitchName=b Nodes=w-[2,10]\nSwitchName=c Nodes=w-3\n"
            "SwitchName=p Switches=a,c\nSwitchName=q Switches=b\nSwitchName=r Switches=p,q\n"
        )
    )
    wanted = ["w-1", "w-10", "w-2", "w-3", "w-4", "w-5"]
    assert depth_first(groups, wanted) == (["w-1", "w-4", "w-3", "w-2", "w-10"], ["w-5"])


def test_blocks_alone_are_groups():
    groups = groups_of(read("BlockName=b2 Nodes=n[1,3]\nBlockName=b1 Nodes=n[2,4]"))
    assert depth_first(groups, ["n1", "n2", "n3", "n4"]) == (["n2", "n4", "n1", "n3"], [])


def test_ring_of_one_node_leaves_nothing():
    assert ring_exits(["a"], lambda node: node) == {}


def test_exits_are_counted_for_the_place_that_is_left():
    assert ring_exits(["a1", "a2", "b1", "a3"], lambda node: node[0]) == {"a": 1, "b": 1}
