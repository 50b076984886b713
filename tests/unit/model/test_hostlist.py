from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import InputError
from sunk.model.hostlist import expand, fold

node_names = st.from_regex(r"[a-z]{1,4}-?[0-9]{1,4}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("w-0", ("w-0",)),
        ("w-[0-3]", ("w-0", "w-1", "w-2", "w-3")),
        ("gpu-[01-03,7]", ("gpu-01", "gpu-02", "gpu-03", "gpu-7")),
        ("r[1-2]n[01-02]", ("r1n01", "r1n02", "r2n01", "r2n02")),
        ("w-[2,0]", ("w-2", "w-0")),
        ("a1,b[2-3]", ("a1", "b2", "b3")),
        ("a[09-11]", ("a09", "a10", "a11")),
    ],
)
def test_hostlist_stands_for_these_names_in_its_order(text, names):
    assert expand(text) == names


@given(st.sets(node_names, max_size=30))
def test_folding_and_expanding_keeps_every_name(names):
    assert set(expand(fold(names))) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w-[0-3", "'[0-3' at position 3: the bracket is not closed"),
        ("w-[3-1]", "'3-1' at position 4: the range runs backwards"),
        ("w-[a]", "'a' at position 4: not a number or a range"),
        ("w 1", "' ' at position 2: not a character of a node name"),
        ("a,,b", "at position 3: a name is missing"),
    ],
)
def test_faulty_part_is_named_with_its_position(text, message):
    with pytest.raises(InputError) as raised:
        expand(text)
    assert message in raised.value.message


def test_huge_hostlist_is_refused_before_it_is_built():
    with pytest.raises(InputError, match="the limit is 1000000"):
        expand("a[0-999999999]b[0-999999999]")


def test_a_hundred_thousand_names_expand_and_fold_again():
    assert fold(expand("w-[1-100000]")) == "w-[1-100000]"


@given(st.text(max_size=20))
def test_any_text_is_expanded_or_refused(text):
    try:
        expand(text)
    except InputError:
        return
