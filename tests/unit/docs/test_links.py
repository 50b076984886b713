"""Links that mkdocs does not see: those of the files beside the code, and the pages' own nav."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch

import pytest
import yaml

from tests.run_layers import ENVIRONMENT, LAYERS
from tests.support.pages import DOCS, ROOT, pages, split

LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = ("http:", "https:", "mailto:")


@pytest.mark.parametrize("file", pages(), ids=lambda one: str(one.relative_to(ROOT)))
def test_relative_links_lead_to_files(file):
    broken = [
        f"{line}: {target}"
        for line in split(file)[0]
        for target in LINK.findall(line.text)
        if not target.startswith((*ELSEWHERE, "#"))
        and not (file.parent / target.partition("#")[0]).exists()
    ]
    assert broken == []


CHECK_PAGES = "reference/fabric/*/*.md"


def leaves(item: object) -> list[str]:
    if isinstance(item, str):
        return [item]
    values = item.values() if isinstance(item, dict) else item
    return [leaf for value in values for leaf in leaves(value)]


def test_every_page_is_in_the_navigation_once():
    """The pages of single checks, by their hundreds, are reached from those of their groups."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert settings["not_in_nav"] == f"/{CHECK_PAGES}"
    there = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    wanted = [page for page in there if not fnmatch(page, CHECK_PAGES)]
    assert sorted(leaves(settings["nav"])) == sorted(wanted)


def test_every_page_but_the_first_is_linked_from_a_text():
    """The navigation is not the only way: somebody who reads gets everywhere."""
    linked = set()
    for file in pages():
        for line in split(file)[0]:
            for target in LINK.findall(line.text):
                if not target.startswith((*ELSEWHERE, "#")):
                    linked.add((file.parent / target.partition("#")[0]).resolve())
    unlinked = {page.resolve() for page in DOCS.rglob("*.md")} - linked - {DOCS / "index.md"}
    assert sorted(str(page.relative_to(DOCS)) for page in unlinked) == []


@pytest.mark.parametrize("page", ["[no such page](none.md)", "[no such place](index.md#none)"])
def test_docs_layer_fails_on_a_broken_link(page, tmp_path):
    """With --quiet mkdocs prints no warning, counts none, and is never strict."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n{page}\n")
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    small = {"site_name": "x", "validation": settings["validation"]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(small))
    (layer,) = (one for one in LAYERS if one.name == "docs")
    done = subprocess.run(
        layer.argv, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "none" in done.stderr


def test_make_docs_builds_like_the_docs_layer():
    (layer,) = (one for one in LAYERS if one.name == "docs")
    recipe = (ROOT / "Makefile").read_text()
    assert f"NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs {' '.join(layer.argv[1:])}\n" in recipe
    assert ENVIRONMENT["NO_MKDOCS_2_WARNING"] == "1"
