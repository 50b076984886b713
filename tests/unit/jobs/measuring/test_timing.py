from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.measuring.timing import Timing, calls_for, percentile, rounds, summarise


def test_time_is_the_largest_of_the_medians_and_says_whose_it_is():
    samples = [[1.0, 2.0, 9.0], [3.0, 4.0, 5.0], [4.0, 4.0, 1.0]]
    # Together, the samples took 4, 4 and 9.
    assert summarise(samples) == Timing(
        seconds=4.0, p50_seconds=4.0, p99_seconds=9.0, slowest_rank=1
    )


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_percentile_is_a_value_that_enough_do_not_exceed(values, percent):
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


@given(st.floats(1e-9, 10), st.integers(1, 1000))
def test_calls_fill_the_time_within_their_limit(call_seconds, most):
    calls = calls_for(0.002, call_seconds, most)
    assert 1 <= calls <= most
    assert calls == most or calls * call_seconds >= 0.002 or calls == 1
    assert calls == 1 or (calls - 1) * call_seconds < 0.002


@given(st.integers(1, 40))
def test_each_two_ranks_meet_once_and_nobody_is_in_two_pairs(ranks):
    played = rounds(ranks)
    met = sorted(itertools.chain(*played))
    assert met == list(itertools.combinations(range(ranks), 2))
    for one in played:
        seats = list(itertools.chain(*one))
        assert len(seats) == len(set(seats))
    assert len(played) == (ranks - 1 if ranks % 2 == 0 else ranks)
