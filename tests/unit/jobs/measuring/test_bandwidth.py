from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.measuring.bandwidth import Collective, Shape, bus_factor, gb_per_s, shape_of

COLLECTIVES = st.sampled_from(list(Collective))


@pytest.mark.parametrize(
    ("collective", "factor"),
    [
        (Collective.ALL_REDUCE, 1.75),
        (Collective.ALL_GATHER, 0.875),
        (Collective.REDUCE_SCATTER, 0.875),
        (Collective.ALL_TO_ALL, 0.875),
        (Collective.PAIRWISE, 1.0),
    ],
)
def test_bus_factor_of_eight_ranks_is_that_of_nccl_tests(collective, factor):
    assert bus_factor(collective, 8) == factor


@pytest.mark.parametrize(
    ("collective", "shape"),
    [
        # 1,000 bytes of float32 over 3 ranks: 83 elements each, aligned down to 80.
        (Collective.ALL_REDUCE, Shape(250, 250, 250, 1000)),
        (Collective.ALL_GATHER, Shape(80, 240, 80, 960)),
        (Collective.REDUCE_SCATTER, Shape(240, 80, 80, 960)),
        (Collective.ALL_TO_ALL, Shape(240, 240, 80, 960)),
        (Collective.PAIRWISE, Shape(250, 250, 250, 1000)),
    ],
)
def test_buffers_are_cut_as_nccl_tests_cuts_them(collective, shape):
    assert shape_of(collective, 1000, 3, 4) == shape


@given(COLLECTIVES, st.integers(1, 1 << 34), st.integers(1, 5000), st.sampled_from([2, 4, 8]))
def test_payload_is_the_largest_buffer_and_within_the_size(collective, size, ranks, element):
    shape = shape_of(collective, size, ranks, element)
    largest = max(shape.send_elements, shape.receive_elements)
    assert shape.payload_bytes == largest * element <= size
    assert size - shape.payload_bytes < max(element, 16 * ranks)


@pytest.mark.parametrize("ranks", [0, -1])
def test_bus_factor_refuses_no_ranks(ranks):
    with pytest.raises(ValueError, match="at least 1"):
        bus_factor(Collective.ALL_REDUCE, ranks)


def test_bandwidth_is_in_powers_of_ten():
    assert gb_per_s(3_000_000_000, 2.0) == 1.5


def test_bandwidth_refuses_a_time_that_is_not_positive():
    with pytest.raises(ValueError, match="positive"):
        gb_per_s(1, 0.0)
