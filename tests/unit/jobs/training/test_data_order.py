from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.training.data_order import mixed, samples_of, shuffled, window_of

FIRST_TEN = [5, 6, 3, 1, 9, 2, 0, 8, 7, 4]
MIXED = 15020427595393229491


@given(st.integers(1, 50), st.integers(1, 8), st.integers(1, 8))
def test_ranks_share_out_the_samples_of_a_step_in_their_order(step, world, share):
    batch = world * share
    parts = [samples_of(step, batch, world, rank) for rank in range(world)]
    flat = [number for part in parts for number in part]
    assert flat == list(range((step - 1) * batch, step * batch))


def test_a_batch_that_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="10 samples cannot be split over 3 ranks"):
        samples_of(1, 10, 3, 0)


@given(st.integers(1, 300), st.integers(0, 2**64 - 1))
def test_shuffling_is_a_permutation(count, key):
    assert sorted(shuffled(at, count, key) for at in range(count)) == list(range(count))


@given(st.integers(1, 60), st.integers(0, 2**32), st.integers(0, 5))
def test_an_epoch_has_every_window_once(windows, seed, epoch):
    numbers = range(epoch * windows, (epoch + 1) * windows)
    assert sorted(window_of(n, windows, seed) for n in numbers) == list(range(windows))


def test_epochs_and_seeds_have_orders_of_their_own():
    def order(epoch, seed):
        return tuple(window_of(epoch * 100 + at, 100, seed) for at in range(100))

    orders = {order(epoch, seed) for epoch in range(3) for seed in range(3)}
    assert len(orders) == 9
    assert tuple(range(100)) not in orders


def test_order_never_changes_between_versions():
    """A run that resumes with a newer version has to go on with the same data."""
    assert [window_of(n, 10, 7) for n in range(10)] == FIRST_TEN
    assert mixed(1, 2, 3) == MIXED
