"""Robust statistics of a matrix with holes."""

from __future__ import annotations

import pytest

from sunk_fabric.active.kinds import kinds
from sunk_fabric.active.polish import LEAST_DEVIATION, deviation, median_by, polish

FULL = {(one, other): 0.0 for one in "abcd" for other in "abcd" if one != other}


def test_slow_sender_is_its_row_and_leaves_nothing():
    found = polish({**FULL, **{("a", other): -1.0 for other in "bcd"}})
    assert found.sends == {"a": -1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    assert found.receives == dict.fromkeys("abcd", 0.0)
    assert set(found.left.values()) == {0.0}


def test_one_low_cell_is_left_over_and_nobody_s_effect():
    found = polish({**FULL, ("a", "b"): -1.0})
    assert set(found.sends.values()) | set(found.receives.values()) == {0.0}
    assert {cell for cell, value in found.left.items() if value} == {("a", "b")}


def test_host_with_two_partners_has_no_effect_of_its_own():
    assert polish({("a", "b"): -1.0, ("a", "c"): -1.0}).sends == {}


def test_deviation_is_robust_and_never_zero():
    assert deviation([0.0, 0.0, 0.0, -9.0]) == LEAST_DEVIATION
    assert deviation([-1.0, 0.0, 1.0, 0.0, -1.0, 1.0, 50.0]) == pytest.approx(1.4826)
    assert deviation([1.0]) == LEAST_DEVIATION


def test_median_of_each_key_sorted():
    assert median_by([("b", 1.0), ("a", 3.0), ("b", 2.0)]) == {"a": 3.0, "b": 1.5}


@pytest.mark.parametrize(
    ("best", "levels"),
    [
        ((0.0, 0.0, 0.0, -1.0, -1.0, -1.0), (0.0, 0.0, 0.0, -1.0, -1.0, -1.0)),
        ((0.0, 0.0, 0.0, 0.0, -1.0, -1.0), (0.0,) * 6),
        ((1.0, 0.0, 0.0, 0.0, 0.0, 0.0), (0.0,) * 6),
        ((0.0, -0.05, -0.1, -0.15, -0.2, -0.25), (-0.15,) * 6),
        ((0.0, -1.0), (0.0, 0.0)),
    ],
)
def test_kind_is_many_that_are_alike_and_few_that_lag_are_none(best, levels):
    found = kinds(dict(zip("abcdef", best, strict=False)), 0.1)
    assert tuple(found[name] for name in sorted(found)) == levels
