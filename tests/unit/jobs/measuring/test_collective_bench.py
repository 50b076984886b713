"""Measuring and checking, over a communicator of threads."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from sunk_jobs.measuring import collective_bench as bench
from sunk_jobs.measuring.bandwidth import Collective, bus_factor
from sunk_jobs.measuring.mpi_ranks import MpiRanks
from sunk_jobs.outputs.results import Pairs
from tests.support import fake_mpi

ALL = tuple(Collective)
PLAN = bench.Plan(ALL, sizes=(8, 1000, 4096), pair_bytes=512, warmups=1, samples=2)


def measured(size, plan=PLAN, spoiler=None, element_type="float32"):
    def act(world):
        if spoiler is not None and world.Get_rank() == size - 1:
            world.spoil = spoiler
        return bench.measure(MpiRanks(fake_mpi, world, element_type), plan)

    return fake_mpi.on_threads(size, act)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("element_type", ["float32", "float64"])
def test_every_collective_is_right_and_all_ranks_have_the_same_figures(size, element_type):
    results = measured(size, element_type=element_type)
    assert all(one == results[0] for one in results)
    rows, pairs = results[0]
    assert {row.collective for row in rows} == set(ALL) - {"pairwise"}
    assert [row.wrong_elements for row in rows] == [0] * len(rows)
    assert pairs.wrong_elements == 0
    for row in rows:
        assert row.algbw_gb_per_s == row.size_bytes / row.seconds / 1e9
        factor = bus_factor(Collective(row.collective), size)
        assert row.busbw_gb_per_s == row.algbw_gb_per_s * factor
        assert 0 <= row.slowest_rank < size


def test_sizes_too_small_for_the_ranks_are_left_out():
    rows, _ = measured(3)[0]
    sizes = {(row.collective, row.size_bytes) for row in rows}
    assert ("all_reduce", 8) in sizes
    assert not {(row.collective, row.size_bytes) for row in rows if row.size_bytes == 0}
    assert [row.size_bytes for row in rows if row.collective == "all_gather"] == [960, 4080]


@pytest.mark.parametrize("collective", list(Collective))
def test_one_flipped_element_on_one_rank_is_found(collective):
    def spoil(buffer):
        if len(buffer):
            buffer[-1] += 1

    rows, pairs = measured(3, replace(PLAN, collectives=(collective,)), spoil)[0]
    wrong = [row.wrong_elements for row in rows] + ([pairs.wrong_elements] if pairs else [])
    # Two pairs end at the last rank.
    assert wrong == ([2] if collective is Collective.PAIRWISE else [1] * len(wrong))
    result = bench.result_of(
        "s", PLAN, (rows, pairs), hosts="abc", library="l", element_type="float32"
    )
    assert result.correct is False


def test_a_matrix_names_its_slowest_pair():
    matrix = [[None, 3.0, 2.0], [4.0, None, 0.5], [1.0, 6.0, None]]
    assert bench.pairs_of(64, matrix, 0) == Pairs(
        size_bytes=64,
        gb_per_s=tuple(tuple(row) for row in matrix),
        median_gb_per_s=2.5,
        slowest=(1, 2),
        wrong_elements=0,
    )


def test_a_matrix_of_one_rank_has_no_figures():
    assert bench.pairs_of(64, [[None]], 0) == Pairs(
        size_bytes=64, gb_per_s=((None,),), median_gb_per_s=None, slowest=(), wrong_elements=0
    )


def read(*words):
    parser = argparse.ArgumentParser()
    bench.add_options(parser, ("float32",))
    return bench.plan_of(parser, parser.parse_args(words))


def test_options_become_a_plan():
    assert read("--collectives", "all_reduce,pairwise", "--sizes", "1M,8,1K") == bench.Plan(
        (Collective.ALL_REDUCE, Collective.PAIRWISE), (8, 1024, 1 << 20), 1 << 20, 5, 20
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--collectives", "all_reduce,gather"], "choose from all_reduce, all_gather"),
        (["--collectives", ","], "name at least one"),
        (["--sizes", "1T"], "size '1T': a number of bytes, with K, M or G"),
        (["--sizes=-1"], "size '-1'"),
        (["--pair-bytes", "0"], "size '0'"),
        (["--samples", "0"], "--warmups and --samples must be at least 1"),
        (["--type", "int8"], "invalid choice: 'int8'"),
    ],
)
def test_a_wrong_option_is_named(capsys, words, said):
    with pytest.raises(SystemExit) as caught:
        read(*words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("plan", "ranks", "wanted", "said"),
    [
        (PLAN, 4, None, None),
        (PLAN, 4, 8, "4 ranks, not 8: the launcher did not wire them up"),
        (replace(PLAN, sizes=(1 << 34,)), 4, None, "17179869184 bytes: the limit is 2147483647"),
        (PLAN, 1025, None, "the pairwise matrix of 1025 ranks: the limit is 1024"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(plan, ranks, wanted, said):
    found = bench.refusal(plan, ranks, 4, wanted)
    assert found is None if said is None else found.startswith(said)
