"""The chart: Helm to run on it, its values with their comments, and the page about them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from sunk.local.software.cache import Cache
from sunk.local.software.gobuild import HELM, build_program, find_go
from sunk.render.permissions import PERMISSIONS, Permission
from sunk.resources import data_folder
from tests.support.cluster import local_settings

CHART = data_folder("deploy") / "chart" / "sunk"
_KEY = re.compile(r"^( *)([A-Za-z]+):(?: (.*))?$")


@cache
def _helm_program() -> Path:
    store = Cache(local_settings().cache_folder)
    return build_program(store, find_go(), HELM, data_folder("deploy")).content / "helm"


def helm(
    *words: str | Path, text: str = "", within_seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the Helm of the local cluster's software; it is built when it is not there.

    `text` is its standard input.
    """
    return subprocess.run(
        [_helm_program(), *words],
        capture_output=True,
        text=True,
        input=text,
        check=False,
        timeout=within_seconds,
    )


@dataclass(frozen=True)
class Value:
    """One value: where it is, what it is by default, and the comment above it."""

    path: str
    default: Any
    comment: str


def default_values() -> dict[str, Any]:
    loaded = yaml.safe_load((CHART / "values.yaml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def values() -> list[Value]:
    """Return every value that is set by itself, in the file's order.

    A mapping with a comment is one value (labels, resources); one without holds values.
    """
    found: list[Value] = []
    above: list[str] = []
    places: list[tuple[int, str]] = []
    inside: int | None = None
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        key = _KEY.match(line)
        indent = len(line) - len(line.lstrip())
        if inside is not None and text and indent > inside:
            continue  # part of the value above
        inside = None
        if text.startswith("#"):
            above.append(text.lstrip("# "))
        elif key:
            places = [*(one for one in places if one[0] < indent), (indent, key[2])]
            if above:
                path = ".".join(name for _, name in places)
                found.append(Value(path, at(default_values(), path), " ".join(above)))
                inside = indent
            above = []
        else:
            above = []
    return found


def at(tree: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        tree = tree[name]
    return tree


def leaves(tree: Any, path: str = "") -> set[str]:
    """Return the paths of everything that is no mapping with something in it."""
    if not isinstance(tree, dict) or not tree:
        return {path}
    return {leaf for key, one in tree.items() for leaf in leaves(one, f"{path}.{key}".strip("."))}


def reference() -> str:
    """Return the page of the chart's values and of what the bridge may do."""
    rows = [f"| `{one.path}` | `{json.dumps(one.default)}` | {one.comment} |" for one in values()]
    rights = [
        f"| {_group(one)} | {_resources(one)} | {_verbs(one)} | {one.scope} | {_why(one)} |"
        for one in PERMISSIONS
    ]
    return "\n".join([_HEAD, *rows, _RIGHTS, *rights, ""])


def _group(one: Permission) -> str:
    return f"`{one.group}`" if one.group else "core"


def _resources(one: Permission) -> str:
    names = f" called {', '.join(f'`{name}`' for name in one.names)}" if one.names else ""
    return ", ".join(f"`{name}`" for name in one.resources) + names


def _verbs(one: Permission) -> str:
    return ", ".join(one.verbs)


def _why(one: Permission) -> str:
    return one.reason + (f"; only with `{one.value}`" if one.value else "")


_HEAD = """\
# Chart

What `deploy/chart/sunk` can be told, and what it gives the bridge.
[Install with Helm](../howto/install.md) says how to use it.

`make golden` makes this page from the chart and from `sunk/render/permissions.py`.

## Values

A value that is not listed here is refused, but below `global`, which is shared with other charts.

| value | default | meaning |
|---|---|---|"""
_RIGHTS = """
## What the bridge may do

| API group | resources | verbs | where | why |
|---|---|---|---|---|"""
