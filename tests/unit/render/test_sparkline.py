"""Curves and bars of characters."""

import math

from hypothesis import given
from hypothesis import strategies as st

from sunk.render.sparkline import bars, sparkline


def test_curve_goes_from_its_lowest_value_to_its_highest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([7, 0]) == "█▁"


def test_flat_curve_and_none_are_no_errors():
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([]) == ""


def test_more_values_than_characters_are_means_of_stretches():
    assert sparkline([0, 0, 4, 4, 8, 8], width=3) == "▁▅█"


def test_what_is_not_finite_is_a_cross_and_hides_nothing_else():
    assert sparkline([1.0, math.nan, 2.0, math.inf]) == "▁?█?"


@given(st.lists(st.floats()), st.integers(1, 100))
def test_any_values_make_a_curve_of_at_most_the_width(values, width):
    drawn = sparkline(values, width)
    assert len(drawn) == min(len(values), width)
    assert set(drawn) <= set("▁▂▃▄▅▆▇█?")


def test_bars_are_in_proportion():
    assert bars({"useful": 0.75, "lost": 0.25, "tail": 0.0}, width=8) == [
        "useful   75.00%  ██████",
        "lost     25.00%  ██",
        "tail      0.00%",
    ]
