"""The pages about checks are what the catalogue says; none is missing, none left over."""

from __future__ import annotations

import pytest

from tests.support.fabric_pages import TITLES, pages
from tests.support.golden import check_generated
from tests.support.pages import DOCS

FOLDER = DOCS / "reference" / "fabric"


@pytest.mark.parametrize("name", sorted(pages()))
def test_page_is_what_the_catalogue_says(name):
    check_generated(FOLDER / name, pages()[name])


def test_no_page_is_left_over():
    assert {one.name for one in FOLDER.iterdir()} == set(pages())


def test_every_group_has_a_title():
    assert set(TITLES) == {name.removesuffix(".md") for name in pages()} - {"index"}
