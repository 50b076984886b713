from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs.placement.hostlist import HostlistError, expand, fold, fold_in_order

NAMES = st.from_regex(r"[a-z]{0,2}-?[0-9]{0,3}[a-z.]{0,2}", fullmatch=True).filter(bool)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), ""),
        (("w-1",), "w-1"),
        (("w-10", "w-9", "w-2", "w-1"), "w-[1-2,9-10]"),
        (("n08", "n09", "n10", "n99", "n100"), "n[08-10,99-100]"),
        (("n1", "n01", "n2"), "n[1-2,01]"),
        (("r1n1", "r1n2", "r2n1"), "r1n[1-2],r2n1"),
        (("gpu1-ib", "gpu2-ib"), "gpu[1-2]-ib"),
        (("login", "w1", "controller"), "controller,login,w1"),
        (("w1", "w1"), "w1"),
        (("w", "w0", "w1"), "w,w[0-1]"),
    ],
)
def test_names_fold_to_ranges_of_their_last_number(names, text):
    assert fold(names) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("w2", "w1", "w3", "w4"), "w[2,1,3-4]"),
        (("w1", "x1", "w2"), "w1,x1,w2"),
        (("w1", "w1"), "w[1,1]"),
    ],
)
def test_folding_in_order_keeps_order_and_repeats(names, text):
    assert fold_in_order(names) == text


@given(st.lists(NAMES, max_size=30))
def test_what_is_folded_expands_to_the_same_names(names):
    assert expand(fold_in_order(names)) == tuple(names)
    folded = expand(fold(names))
    assert (set(folded), len(folded)) == (set(names), len(set(names)))


@pytest.mark.parametrize("name", ["", "w[1-2]", "a,b", "w 1", "w\n"])
def test_what_is_no_name_is_not_folded(name):
    with pytest.raises(HostlistError, match="is not a node name"):
        fold([name])
