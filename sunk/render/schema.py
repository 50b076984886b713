"""Structural OpenAPI schemas from the dataclasses of a description, for custom resources.

Types, defaults and the words of the ``Attributes:`` sections come from the classes themselves, so
that resource, file and documentation cannot say different things. What a type cannot say (patterns,
ranges, CEL rules) is added by whoever renders the resource.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from sunk.model.file_form import camel

Schema = dict[str, Any]
Extras = Mapping[tuple[type, str], Mapping[str, Any]]
"""Further keywords for the schema of a field: (class, field name) -> keywords; without a name for
that of the class."""

_SIMPLE: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    bool: {"type": "boolean"},
}
_ENTRY = re.compile(r"(?P<name>[a-z_]+): (?P<text>.*)")


def object_schema(one: type, extras: Extras, *, without: frozenset[str] = frozenset()) -> Schema:
    """Return the schema of a dataclass.

    Args:
        one: a dataclass whose docstring has an Attributes section.
        extras: further keywords.
        without: fields to leave out.
    """
    words = attribute_words(one)
    hints = get_type_hints(one)
    properties: Schema = {}
    required = []
    for field in fields(one):
        if field.name in without:
            continue
        schema = _schema(hints[field.name], extras)
        schema |= {"description": words[field.name]} if field.name in words else {}
        default = _default(field)
        if default is MISSING:
            required.append(camel(field.name))
        elif default is not None:
            schema["default"] = default
        properties[camel(field.name)] = schema | dict(extras.get((one, field.name), {}))
    made: Schema = {"type": "object", "properties": properties}
    made |= {"required": required} if required else {}
    return made | dict(extras.get((one, ""), {}))


def attribute_words(one: type) -> dict[str, str]:
    """Return what the Attributes section of a class says of each field, as one line each."""
    text = inspect.getdoc(one) or ""
    _, _, section = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(section).splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            name = entry["name"]
            found[name] = entry["text"]
        elif line.startswith(" ") and name:
            found[name] += f" {line.strip()}"
        elif line.strip():
            break
    return {name: _as_in_the_file(words) for name, words in found.items()}


def _as_in_the_file(words: str) -> str:
    """Return words about a field with the names of fields as people write them."""
    spelled = re.sub(r"(?<!`)`([a-z_]+)`(?!`)", lambda found: camel(found[1]), words)
    return f"{spelled[0].upper()}{spelled[1:]}".replace("``", "`")


def _schema(hint: Any, extras: Extras) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        (inner,) = [one for one in arguments if one is not type(None)]
        return _schema(inner, extras)
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], extras)}
    if origin is not None and issubclass(origin, Mapping):
        untyped = arguments[1] is Any
        return {"type": "object"} | (
            {"x-kubernetes-preserve-unknown-fields": True}
            if untyped
            else {"additionalProperties": _schema(arguments[1], extras)}
        )
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [str(one) for one in hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        return object_schema(hint, extras)
    return dict(_SIMPLE[hint])


def _default(field: Field[Any]) -> Any:
    """Return a field's default as it would stand in a file, or MISSING; None for none to show."""
    value = field.default
    if value is MISSING and field.default_factory is not MISSING:
        value = field.default_factory()
    return value if value is MISSING else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        plain = {camel(one.name): _plain(getattr(value, one.name)) for one in fields(value)}
        return {key: one for key, one in plain.items() if one is not None}
    return value
