"""What an apply would change."""

from __future__ import annotations

import pytest

from sunk.plan.difference import holds

CASES = [
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1, "defaulted": 2}, {"a": 1}, True),
    ({"a": 2}, {"a": 1}, False),
    ({}, {"a": 1}, False),
    ({"a": [{"b": 1, "defaulted": 2}]}, {"a": [{"b": 1}]}, True),
    ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}]}, False),
    ({"a": "x"}, {"a": ["x"]}, False),
    ({"a": "xy"}, {"a": "xy"}, True),
]


@pytest.mark.parametrize(("there", "wanted", "same"), CASES)
def test_everything_that_is_wanted_has_to_be_there(there, wanted, same):
    assert holds(there, wanted) is same
