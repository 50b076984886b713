"""Tables of what job programs print: key, type, meaning, from the classes of the results."""

from __future__ import annotations

import types
import typing
from dataclasses import fields
from typing import Any

from sunk_jobs.outputs.results import (
    CollectivesResult,
    PairResult,
    Pairs,
    RayResult,
    Row,
    TrainResult,
)
from tests.support.form_tables import attributes, words

RESULTS = (CollectivesResult, Row, Pairs, TrainResult, RayResult, PairResult)


def rows(form: type) -> list[dict[str, str]]:
    """Return the table of a class; meanings are those of its docstring."""
    meanings = attributes(form)
    kinds = typing.get_type_hints(form)
    return [
        {
            "key": f"`{field.name}`",
            "type": type_words(kinds[field.name]),
            "meaning": meanings[field.name],
        }
        for field in fields(form)
    ]


def type_words(kind: Any) -> str:
    """Return a type in words, with whether it can be null."""
    is_optional = isinstance(kind, types.UnionType) and types.NoneType in typing.get_args(kind)
    return f"{words(kind)} or null" if is_optional else words(kind)


def page_tables() -> str:
    """Return the tables as Markdown, for whoever writes the page."""
    parts = []
    for form in RESULTS:
        lines = [f"## {form.__name__}", "", "| key | type | meaning |", "|---|---|---|"]
        lines += [f"| {row['key']} | {row['type']} | {row['meaning']} |" for row in rows(form)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
