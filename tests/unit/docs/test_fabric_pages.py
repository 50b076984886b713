"""The pages about checks are what the catalogue says; none is missing, none left over."""

from __future__ import annotations

import pytest

from sunk_fabric.catalogue.all import CHECKS
from sunk_fabric.checks.judges import JUDGES
from tests.support.fabric_pages import TITLES, pages
from tests.support.golden import check_generated
from tests.support.pages import DOCS

FOLDER = DOCS / "reference" / "fabric"


@pytest.mark.parametrize("name", sorted(pages()))
def test_page_is_what_the_catalogue_says(name):
    check_generated(FOLDER / name, pages()[name])


def test_no_page_is_left_over():
    there = {one.relative_to(FOLDER).as_posix() for one in FOLDER.rglob("*.md")}
    assert there == set(pages())


def test_every_check_has_a_page():
    assert {one.id for one in CHECKS} == {
        name.rpartition("/")[2].removesuffix(".md") for name in pages() if "/" in name
    }


def test_readme_says_how_many_checks_are_judged():
    said = f"judges {len(JUDGES)} of its {len(CHECKS)} checks"
    assert said in (DOCS.parent / "README.md").read_text()


def test_every_group_has_a_title():
    groups = {name.removesuffix(".md") for name in pages() if "/" not in name}
    assert set(TITLES) == groups - {"index"}
