from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.quantity import parse_quantity, whole_cpus, whole_mib


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("1", 1),
        ("500m", Fraction(1, 2)),
        ("1.5Gi", Fraction(3, 2) * 2**30),
        ("2k", 2000),
        ("1e3", 1000),
        ("1E", 10**18),
        ("+4", 4),
        (".5", Fraction(1, 2)),
    ],
)
def test_quantity_is_exact(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "x", "1x", "1KB", "-1", "1..2", "Ki", "1Ki1", "٣"]
)
def test_what_kubernetes_would_not_take_is_refused(text):
    with pytest.raises(InputError, match="read quantity"):
        parse_quantity(text)


@given(milli=st.integers(0, 10**6))
def test_slurm_never_gets_more_cpus_than_the_limit(milli):
    assert whole_cpus(f"{milli}m") * 1000 <= milli < (whole_cpus(f"{milli}m") + 1) * 1000


@given(kib=st.integers(0, 10**8))
def test_slurm_never_gets_more_memory_than_the_limit(kib):
    assert whole_mib(f"{kib}Ki") * 1024 <= kib


@given(st.text(max_size=12))
def test_any_text_is_a_quantity_or_refused(text):
    try:
        assert parse_quantity(text) >= 0
    except InputError:
        return
