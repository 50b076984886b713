"""The breaker's arithmetic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sunk.plan.budget import Budget, allowance, remembered

BUDGET = Budget(least=5, share=0.25, window_seconds=60)


def left(nodes: int, *done_at: float, now: float = 100.0) -> int:
    return allowance(BUDGET, nodes=nodes, done_at=done_at, now=now)


def test_small_clusters_have_a_number_and_large_ones_a_share():
    assert (left(0), left(8), left(40)) == (5, 5, 10)


def test_what_was_done_in_the_window_counts_and_older_things_do_not():
    assert left(8, 40.0, 40.1, 99.0) == 3


def test_it_never_goes_below_nothing():
    assert left(8, *[99.0] * 9) == 0


@given(st.lists(st.floats(0, 200), max_size=30), st.floats(0, 200))
def test_forgetting_old_times_changes_nothing(done_at, now):
    kept = remembered(BUDGET, tuple(done_at), now)
    assert left(8, *kept, now=now) == left(8, *done_at, now=now)
