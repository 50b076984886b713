from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.measuring import patterns

BFLOAT16_WHOLE_MAX = 256
"""Whole numbers up to here are exact in bfloat16."""


@given(st.integers(1, 300))
def test_total_is_the_sum_of_all_contributions_and_exact_in_any_order(ranks):
    parts = [patterns.contribution(rank, ranks) for rank in range(ranks)]
    total = patterns.total(ranks)
    assert total == [sum(column) for column in zip(*parts, strict=True)]
    # Nothing is negative, so no partial sum is larger than the whole one.
    assert min(itertools.chain(*parts)) >= 0
    assert max(total) <= BFLOAT16_WHOLE_MAX


@given(st.integers(1, 300), st.data())
def test_a_lost_or_doubled_rank_shows_within_a_stride_of_elements(ranks, data):
    rank = data.draw(st.integers(0, ranks - 1))
    stride = -(-ranks // 64)
    assert any(patterns.contribution(rank, ranks)[:stride])


@given(st.integers(1, 300), st.integers(1, 96))
def test_a_shifted_sum_never_looks_right(ranks, shift):
    total = patterns.total(ranks)
    assert patterns.rotated(total, shift) != total


@given(st.integers(0, 191), st.integers(0, 191), st.integers(0, 191), st.integers(0, 191))
def test_what_two_pairs_send_differs(source, destination, other_source, other_destination):
    if (source, destination) != (other_source, other_destination):
        mine = patterns.moved(source, destination)
        assert mine != patterns.moved(other_source, other_destination)
        assert 0 <= min(mine) <= max(mine) <= BFLOAT16_WHOLE_MAX


@pytest.mark.parametrize("rank", [193, 5000])
def test_what_far_ranks_gather_differs(rank):
    assert patterns.moved(rank) != patterns.moved(rank % 193)


@given(st.lists(st.integers(), min_size=1, max_size=9), st.integers(0, 99))
def test_a_period_looks_as_it_does_from_an_element_on(cycle, offset):
    assert patterns.rotated(cycle, offset) == (cycle * 200)[offset : offset + len(cycle)]
