from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import allreduce
from sunk_jobs.measuring import mpi_ranks
from sunk_jobs.outputs import records


@given(ranks=st.integers(1, 64), elements=st.integers(1, 400))
def test_expected_sum_is_the_sum_of_all_contributions(ranks, elements):
    total = [0.0] * elements
    for rank in range(ranks):
        for index, value in enumerate(allreduce.contribution(rank, elements)):
            total[index] += value
    assert list(allreduce.expected_sum(ranks, elements)) == total


@given(elements=st.integers(2, 300), shift=st.integers(1, 96))
def test_shifted_buffer_never_looks_right(elements, shift):
    right = allreduce.expected_sum(4, elements)
    shifted = right[shift % elements :] + right[: shift % elements]
    assert shift % elements == 0 or mpi_ranks.wrong_elements(shifted, right) > 0


def test_short_buffer_counts_its_missing_elements():
    assert mpi_ranks.wrong_elements([1.0], [1.0, 2.0, 3.0]) == 2


def test_one_lost_rank_makes_elements_wrong():
    assert mpi_ranks.wrong_elements(allreduce.expected_sum(3, 97), allreduce.expected_sum(4, 97))


def test_summary_says_right_only_without_a_wrong_element():
    def made(wrong):
        return allreduce.summary(ranks=2, hosts=["a", "b"], elements=1000, wrong=wrong, seconds=[1])

    assert made(0)["correct"] is True
    assert made(1)["correct"] is False


def test_bus_bandwidth_follows_the_formula():
    record = allreduce.summary(
        ranks=4, hosts=list("abcd"), elements=125_000_000, wrong=0, seconds=[2.0, 1.0]
    )
    assert record["algbw_gb_per_s"] == 1.0
    assert record["busbw_gb_per_s"] == 1.5


def test_result_file_is_whole_and_leaves_no_draft(tmp_path):
    records.write_result(tmp_path, {"b": 1, "a": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert json.loads((tmp_path / "result.json").read_text()) == {"a": 2, "b": 1}
