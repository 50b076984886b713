"""Suspects of active tests on networks in memory: each fault named once, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk_fabric.active.patterns import Pattern
from sunk_fabric.active.samples import Gone
from tests.support.active_world import World, hosts, made_plan, two_level
from tests.support.examples import examples

COUNT = 8
names = st.sampled_from(hosts(COUNT))
seeds = st.integers(0, 10_000)
slow = st.floats(0.1, 0.6)
few = settings(max_examples=examples(20))


def named(found):
    return {(str(one.kind), one.host, str(one.way or ""), one.peer) for one in found.suspects}


def confirmed(found):
    return all(one.confirmed for one in found.suspects)


@given(seed=seeds, noise=st.floats(0.0, 0.02))
@few
def test_healthy_hosts_have_no_confirmed_suspect(seed, noise):
    found = World(seed=seed, noise=noise).run(made_plan(COUNT))
    assert [one for one in found.suspects if one.confirmed] == []


@given(seed=seeds, host=names, share=slow, ways=st.sampled_from(("sends", "receives", "both")))
@few
def test_slow_host_is_a_row_a_column_or_both(seed, host, share, ways):
    both = ("sends", "receives") if ways == "both" else (ways,)
    world = World(seed=seed, **{way: {host: share} for way in both})
    made = made_plan(COUNT)
    found = world.run(made)
    assert named(found) == {("slow", host, way, "") for way in both}
    assert confirmed(found)
    assert len(world.rounds) <= len(made.rounds) + made.confirm_rounds


@given(seed=seeds, pair=st.tuples(names, names).filter(lambda one: one[0] != one[1]), share=slow)
@few
def test_slow_pair_is_one_cell(seed, pair, share):
    found = World(seed=seed, pairs={pair: share}).run(made_plan(COUNT))
    assert named(found) == {("slow", pair[0], "", pair[1])}
    assert confirmed(found)


@given(seed=seeds, pair=st.tuples(names, names).filter(lambda one: one[0] != one[1]))
@few
def test_loss_that_costs_no_rate_is_found_by_its_retransmits(seed, pair):
    found = World(seed=seed, losses={pair: 0.03}).run(made_plan(COUNT))
    assert named(found) == {("lossy", pair[0], "", pair[1])}
    assert confirmed(found)


def test_queue_that_overflows_before_a_narrow_place_is_slow_and_not_lossy():
    pair = ("h1", "h5")
    world = {"losses": {pair: 0.04}, "pairs": {pair: 0.3}}
    full = World(**world).run(made_plan(COUNT))
    empty = World(**world, trips={pair: 100.0}).run(made_plan(COUNT))
    assert named(full) == {("slow", "h1", "", "h5")}
    assert named(empty) == {("slow", "h1", "", "h5"), ("lossy", "h1", "", "h5")}


@given(host=names, seed=st.integers(0, 20))
@few
def test_cut_host_is_named_and_not_tried_for_ever(host, seed):
    world = World(cut={host})
    found = world.run(made_plan(COUNT, seed=seed))
    assert named(found) == {("cut", host, "sends", ""), ("cut", host, "receives", "")}
    assert confirmed(found)
    assert sum(host in flow.ends for one in world.rounds for flow in one) <= 8


@given(seed=seeds, pair=st.tuples(names, names).filter(lambda one: one[0] != one[1]))
@few
def test_pair_that_is_low_once_is_repeated_and_no_suspect(seed, pair):
    found = World(seed=seed, once={pair: 0.6}).run(made_plan(COUNT))
    assert found.suspects == ()
    assert found.fleeting == ((*pair, ""),)


@pytest.mark.parametrize("old", [3, 4, 5])
def test_hosts_of_an_older_generation_are_a_kind_and_no_suspects(old):
    older = dict.fromkeys(hosts(old), 0.5)
    found = World(sends=older, receives=older).run(made_plan(COUNT))
    assert found.suspects == ()
    assert {host: round(share, 1) for host, share in found.slower_kinds.items()} == older


@given(seed=seeds, host=names)
@few
def test_one_slow_host_of_an_older_generation_is_still_found(seed, host):
    older = dict.fromkeys(hosts(4), 0.5)
    level = older.get(host, 1.0) * 0.4
    world = World(seed=seed, sends={**older, host: level}, receives={**older, host: level})
    found = world.run(made_plan(COUNT))
    assert {one.host for one in found.suspects} == {host}


@given(seed=seeds, host=st.sampled_from(hosts(16)), pattern=st.sampled_from(("hops", "tournament")))
@few
def test_far_pairs_that_are_slower_by_design_hide_no_slow_host(seed, host, pattern):
    world = World(seed=seed, cross=0.5, receives={host: 0.3})
    found = world.run(made_plan(16, Pattern(pattern), two_level(4, 4)))
    assert named(found) == {("slow", host, "receives", "")}
    assert confirmed(found)


def test_what_is_missing_is_missing():
    made = made_plan(COUNT)
    found = World(cut={"h2"}).run(made)
    assert not any("h2" in (sender, receiver) for _, sender, receiver in found.relative)
    assert len(found.relative) == (COUNT - 1) * (COUNT - 2)
    assert Gone.CUT != Gone.NO


def test_two_slow_hosts_of_six_are_named_though_most_pairs_have_a_slow_end():
    both = dict.fromkeys(("h0", "h1"), 0.5)
    found = World(sends=both, receives=both).run(made_plan(6))
    assert {(one.host, one.peer) for one in found.suspects} == {("h0", ""), ("h1", "")}
    assert confirmed(found)


def test_suspects_are_repeated_with_partners_that_nothing_is_held_against():
    both = dict.fromkeys(("h0", "h1"), 0.5)
    world, made = World(sends=both, receives=both), made_plan(COUNT)
    world.run(made)
    again = [flow for one in world.rounds[len(made.rounds) :] for flow in one]
    assert again
    assert not [flow for flow in again if set(flow.ends) <= {"h0", "h1"}]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ({"sends": {"h3": 0.3}, "receives": {"h3": 0.3}}, {("h3", "")}),
        ({"receives": {"h3": 0.3}}, {("h3", "")}),
    ],
)
def test_few_rounds_find_a_slow_host_with_the_partners_of_its_repetitions(seed, fault, names):
    made = made_plan(COUNT, Pattern.HOPS, two_level(2, 4), each=1, seed=seed)
    world = World(**fault)
    found = world.run(made)
    assert {(one.host, one.peer) for one in found.suspects if one.confirmed} == names


@pytest.mark.parametrize("seed", range(6))
def test_few_rounds_blame_a_slow_pair_and_neither_of_its_hosts(seed):
    made = made_plan(COUNT, Pattern.HOPS, two_level(2, 4), each=1, seed=seed)
    pair = made.rounds[0][0].ends
    found = World(pairs={pair: 0.3}).run(made)
    assert {(one.host, one.peer) for one in found.suspects if one.confirmed} == {pair}


@pytest.mark.parametrize("pattern", [Pattern.TOURNAMENT, Pattern.HOPS])
@pytest.mark.parametrize("ways", [("sends",), ("receives",), ("sends", "receives")])
def test_slow_uplinks_are_their_leaf_and_none_of_its_hosts(pattern, ways):
    world = World(uplinks={(way, "leaf1"): 0.4 for way in ways}, noise=0.005)
    made = made_plan(18, pattern, two_level(6, 3))
    found = world.run(made)
    assert {(one.leaf, one.way, one.host, one.peer) for one in found.suspects} == {
        ("leaf1", way, "", "") for way in ways
    }
    assert confirmed(found)
    assert len(world.rounds) <= len(made.rounds) + made.confirm_rounds
