"""Tables of the keys of a file, from the classes that read it: key, type, default, meaning."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from typing import Any

from sunk.model.file_form import camel

Row = dict[str, str]


def title(form: type) -> str:
    """Return what a class of the file is called on a page: ``NodesForm`` is ``Nodes``."""
    return form.__name__.removesuffix("Form")


def rows(form: type) -> list[Row]:
    """Return the table of a class; meanings are those of its docstring."""
    meanings = attributes(form)
    kinds = typing.get_type_hints(form)
    return [
        {
            "key": f"`{camel(field.name)}`",
            "type": words(kinds[field.name]),
            "default": default(field),
            "meaning": meanings[field.name],
        }
        for field in fields(form)
    ]


def attributes(form: type) -> dict[str, str]:
    """Return the meanings of a class's fields, as its docstring gives them."""
    _, _, text = (form.__doc__ or "").partition("Attributes:")
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.fullmatch(r" {8}(\w+): (.*)", line):
            found[match[1]] = match[2]
        elif line.strip() and found:
            found[list(found)[-1]] += f" {line.strip()}"
    return {name: f"{meaning[0].upper()}{meaning[1:]}" for name, meaning in found.items()}


def words(kind: Any) -> str:
    """Return a type in words."""
    if isinstance(kind, types.UnionType):
        (kind,) = set(typing.get_args(kind)) - {types.NoneType}
    origin = typing.get_origin(kind)
    if origin is tuple:
        return f"list of {words(typing.get_args(kind)[0])}"
    if origin is Mapping:
        return f"mapping of {words(typing.get_args(kind)[1])}"
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return f"[{title(kind)}](#{title(kind).lower()})"
    if issubclass(kind, StrEnum):
        return ", ".join(f"`{one}`" for one in kind)
    return {str: "text", int: "number", float: "number", bool: "true or false"}[kind]


def default(field: Field[Any]) -> str:
    """Return a default in words."""
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value is None or value in ((), {}) or is_dataclass(value):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def page_tables(forms: tuple[type, ...]) -> str:
    """Return the tables as Markdown, for whoever writes the page."""
    parts = []
    for form in forms:
        parts.append(f"## {title(form)}\n\n| key | type | default | meaning |\n|---|---|---|---|")
        parts[-1] += "".join(
            f"\n| {row['key']} | {row['type']} | {row['default']} | {row['meaning']} |"
            for row in rows(form)
        )
    return "\n\n".join(parts) + "\n"
