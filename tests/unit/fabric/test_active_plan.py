"""Plans of active tests: who meets whom, what it costs, what it can find."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk_fabric.active import power
from sunk_fabric.active.layout import Layout, layout_of
from sunk_fabric.active.patterns import Pattern, bisection, hop_sample, incast, tournament
from sunk_fabric.active.planning import CONFIRM_ROUNDS
from sunk_fabric.active.statement import lines, statement
from sunk_fabric.active.tools import Settings, ToolName
from tests.support.active_world import hosts, made_plan, two_level
from tests.support.golden import check_golden

counts = st.integers(2, 23)
seeds = st.integers(0, 5)


def disjoint(rounds, rails=1):
    return all(
        max(Counter(host for flow in one for host in flow.ends).values()) == rails for one in rounds
    )


@given(count=counts, seed=seeds)
def test_tournament_has_every_ordered_pair_once_and_no_host_twice_in_a_round(count, seed):
    rounds = tournament(layout_of(hosts(count)), seed)
    pairs = Counter(flow.ends for one in rounds for flow in one)
    assert pairs == {
        (one, other): 1 for one in hosts(count) for other in hosts(count) if one != other
    }
    assert disjoint(rounds)
    assert len(rounds) == 2 * (count - 1 + count % 2)


@given(count=counts, seed=seeds)
def test_all_rails_of_a_pair_go_in_one_round(count, seed):
    rails = ("mlx5_0", "mlx5_1")
    rounds = tournament(layout_of(hosts(count), None, rails), seed)
    assert disjoint(rounds, rails=2)
    assert all({flow.rail for flow in one} == set(rails) for one in rounds)


@given(leaves=st.integers(1, 5), each=st.integers(1, 5), matchings=st.integers(1, 4), seed=seeds)
def test_hop_sample_keeps_to_its_classes_and_repeats_no_pair(leaves, each, matchings, seed):
    layout = layout_of(hosts(leaves * each), two_level(leaves, each))
    rounds = hop_sample(layout, matchings, seed)
    flows = [flow for one in rounds for flow in one]
    assert len(set(flows)) == len(flows)
    assert all(disjoint([one]) for one in rounds)
    for one in rounds:
        assert len({layout.hop(*flow.ends) for flow in one}) == 1


@given(leaves=st.integers(2, 5), each=st.integers(2, 5), seed=seeds)
def test_hop_sample_reaches_every_leaf_and_class(leaves, each, seed):
    made = made_plan(leaves * each, Pattern.HOPS, two_level(leaves, each), seed=seed)
    assert (made.coverage.leaves, made.coverage.leaves_of) == (leaves, leaves)
    classes = {made.layout.hop(*flow.ends) for one in made.rounds for flow in one}
    assert classes == {0, 1} == set(made.layout.hop_classes)


@given(count=counts)
def test_bisection_sends_from_half_to_half(count):
    layout = layout_of(hosts(count))
    rounds = bisection(layout)
    half = set(layout.hosts[: count // 2])
    assert all((flow.sender in half) != (flow.receiver in half) for one in rounds for flow in one)
    assert disjoint(rounds)


@given(count=counts, fan_in=st.integers(1, 9), receivers=st.integers(1, 4), seed=seeds)
def test_incast_has_one_receiver_in_each_round(count, fan_in, receivers, seed):
    rounds = incast(layout_of(hosts(count)), fan_in, receivers, seed)
    for one in rounds:
        assert len({flow.receiver for flow in one}) == 1
        assert len({flow.sender for flow in one}) == len(one) == min(fan_in, count - 1)


@given(count=st.integers(4, 30), most=st.integers(2, 30), minutes=st.floats(0.5, 5), seed=seeds)
def test_plan_never_exceeds_its_limits_and_says_what_they_took(count, most, minutes, seed):
    made = made_plan(count, max_hosts=most, max_minutes=minutes, seed=seed)
    assert len(made.layout.hosts) == min(count, most)
    assert made.minutes <= minutes + 1e-6
    used = len(made.layout.hosts)
    shorter = (used < count) + (len(made.rounds) < 2 * (used - 1 + used % 2))
    assert len(made.shortened) == shorter


def test_fewer_hosts_are_taken_from_every_leaf_in_turn():
    made = made_plan(16, topology=two_level(4, 4), max_hosts=6)
    leaves = Counter(made.layout.leaf_of[host, ""] for host in made.layout.hosts)
    assert sorted(leaves.values()) == [1, 1, 2, 2]


def test_time_for_less_than_two_rounds_is_refused_with_what_would_do():
    with pytest.raises(InputError) as refused:
        made_plan(4, max_minutes=0.2)
    assert refused.value.hint == "allow 1 minutes, or make transfers shorter with --seconds"


def test_one_host_is_refused():
    with pytest.raises(InputError, match="plan a test of 1 hosts: it takes two"):
        made_plan(1)


def test_cost_is_hosts_times_time_times_price():
    made = made_plan(8, price_per_node_hour=20.0, currency="EUR")
    rounds = 14 + CONFIRM_ROUNDS
    assert math.isclose(made.cost, 8 * rounds * 2.0 / 3600 * 20.0)


def test_statement_is_what_the_plan_is():
    made = made_plan(
        16, Pattern.HOPS, two_level(4, 4), price_per_node_hour=20.0, currency="EUR", max_minutes=0.6
    )
    text = "\n".join(lines(made, ToolName.PAIR)) + "\n"
    check_golden("fabric/active/plan.txt", text)
    stated = statement(made, ToolName.PAIR, Settings())
    assert stated["rounds"] == len(made.rounds)
    assert stated["cost_at_most"] == round(made.cost, 2)
    assert stated["coverage"]["leaves"] == 4


@given(noise=st.floats(0.001, 0.2), effect=st.floats(0.05, 0.8), flows=st.integers(0, 40))
def test_power_is_a_chance_and_grows_with_what_is_measured(noise, effect, flows):
    assert 0 <= power.found(effect, noise) <= 1
    assert power.found(effect, power.median_error(noise, 9)) >= power.found(effect, noise) - 1e-9
    assert power.crossed(8, flows) <= power.crossed(8, flows + 1)


def test_one_bad_cable_of_32_is_missed_by_32_flows_as_often_as_the_formula_says():
    assert math.isclose(1 - power.crossed(32, 32), (31 / 32) ** 32)


def test_hop_classes_are_tiers_of_the_lowest_common_switch():
    layout = layout_of(("h0", "h1", "h4", "stranger"), two_level(2, 4))
    assert layout.hosts == ("h0", "h1", "h4", "stranger")
    assert [layout.hop("h0", one) for one in ("h1", "h4", "stranger")] == [0, 1, -1]
    assert isinstance(layout.only(("h4",)), Layout)
    assert layout.only(("h4",)).hosts == ("h4",)
