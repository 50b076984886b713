"""The pages about checkpoints say what the code does."""

from __future__ import annotations

import ast
from dataclasses import fields

from sunk_jobs import checkpoint, exit_codes
from sunk_jobs.checkpoint import About, Manifest, ShardFile, tensors, torch_adaptor, writing
from sunk_jobs.checkpoint.manifest import SCHEMA
from tests.support.pages import DOCS, split, tables

PAGE = DOCS / "reference" / "checkpoints.md"
HOWTO = DOCS / "howto" / "checkpoints.md"


def keys(heading: str) -> list[str]:
    return [row["key"].strip("`") for row in tables(PAGE)[heading]]


def test_every_key_of_the_files_is_named():
    assert keys("Manifest") == ["schema", *(one.name for one in fields(Manifest)), "sha256"]
    assert keys("File") == [one.name for one in fields(ShardFile)]
    assert keys("About") == [one.name for one in fields(About)]
    assert tables(PAGE)["Manifest"][0]["meaning"] == f"`{SCHEMA}`"


def test_exit_codes_are_those_of_the_code():
    rows = {
        row["name in `sunk_jobs.exit_codes`"]: row["code"] for row in tables(HOWTO)["Exit codes"]
    }
    found = {f"`{n}`": str(v) for n, v in vars(exit_codes).items() if isinstance(v, int)}
    assert rows == found


def test_the_loop_imports_what_there_is():
    ((_, lines),) = [one for one in split(HOWTO)[1] if one[0] == "python"]
    modules = {
        "sunk_jobs": {"exit_codes": exit_codes},
        "sunk_jobs.checkpoint": vars(checkpoint),
        "sunk_jobs.checkpoint.tensors": vars(tensors),
        "sunk_jobs.checkpoint.torch_adaptor": vars(torch_adaptor),
    }
    tree = ast.parse("\n".join(line.text for line in lines))
    taken = [
        (node.module, name.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sunk_jobs")
        for name in node.names
    ]
    assert len(taken) > 10
    assert [one for one in taken if one[1] not in modules[one[0]]] == []


def test_what_the_page_says_of_each_fsync_is_what_the_module_says():
    named = [row["fsync of"] for row in tables(PAGE)["Which fsync protects what"]]
    assert all(one in writing.__doc__ for one in named)
    assert len(named) == 6
