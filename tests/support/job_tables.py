"""Tables of the parameters of job templates, from the forms that read them.

``python -m tests.support.job_tables`` prints them as Markdown, for whoever writes the page.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from typing import Any

from sunk.cli.job_template import _LIMITS
from sunk.toolkit.catalogue import TEMPLATES
from sunk.toolkit.parameters import (
    JobParameters,
    NodeParameters,
    PlacedParameters,
    SavingParameters,
    kinds,
)
from sunk.toolkit.parameters.first import RankedParameters

Row = dict[str, str]
FAMILIES: dict[str, type[JobParameters]] = {
    "Parameters of every template": JobParameters,
    "Ranks that talk": PlacedParameters,
    "Ranks that srun starts": RankedParameters,
    "One launcher on each node": NodeParameters,
    "Runs that save": SavingParameters,
}
"""Headings of the page, and the forms whose parameters stand there once for all."""
WORDS = {
    kinds.Word: "word",
    kinds.VariableName: "name of a variable",
    kinds.Duration: "time",
    kinds.Memory: "memory",
    kinds.Dependency: "dependency",
    kinds.Size: "bytes",
    kinds.ImageFile: "image",
    kinds.Mount: "mount",
    kinds.Mask: "bits, such as 0x7",
    kinds.NoOption: "text, not beginning with -",
    kinds.AbsolutePath: "absolute path",
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
}


def rows(form: type[JobParameters]) -> list[Row]:
    """Return what a form has that those it is made from have not, or have otherwise."""
    inherited: dict[str, Row] = {}
    for base in reversed(form.__mro__[1:]):
        if base in FAMILIES.values():
            inherited |= _all(base)
    found = _all(form)
    return [row for name, row in found.items() if inherited.get(name) != row]


def _all(form: type[JobParameters]) -> dict[str, Row]:
    hints = typing.get_type_hints(form, include_extras=True)
    return {
        name: {
            "parameter": f"`{field.alias}`",
            "type": kind(hints[name]),
            "default": default(field.get_default(call_default_factory=True)),
            "limits": limits(field.metadata),
            "meaning": field.description or "",
        }
        for name, field in form.model_fields.items()
        if not (form in FAMILIES.values() and name == "name")
    }


def kind(hint: Any) -> str:
    """Return a type in words."""
    if hint in WORDS:
        return WORDS[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        known = [one for one in parts if one is not types.NoneType]
        return kind(known[0]) if len(known) == 1 else "text, number, true or false"
    if origin is typing.Literal:
        return " or ".join(f"`{json.dumps(one).strip(chr(34))}`" for one in parts)
    if origin is dict:
        return f"mapping of {kind(parts[1])}"
    assert origin is list, hint
    return f"list of {kind(parts[0])}"


def default(value: Any) -> str:
    """Return a default in words."""
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`[{', '.join(value)}]`" if isinstance(value, list) else f"`{value}`"


def limits(rules: list[Any]) -> str:
    """Return limits in words."""
    found = {
        name: value
        for rule in rules
        for name in _LIMITS
        if (value := getattr(rule, name, None)) is not None
    }
    if {"ge", "le"} <= set(found):
        return f"{found['ge']} to {found['le']}"
    return ", ".join(f"{_LIMITS[name]} {value}" for name, value in found.items())


def table(form: type[JobParameters]) -> str:
    """Return a form's table as Markdown."""
    head = "| parameter | type | default | limits | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row.values())} |\n" for row in rows(form))


if __name__ == "__main__":
    for heading, form in {**FAMILIES, **{one.name: one.form for one in TEMPLATES}}.items():
        sys.stdout.write(f"## {heading}\n\n{table(form)}\n")
