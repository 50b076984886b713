"""Print results: data on stdout in the form that was asked for, words on stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]


class Form(StrEnum):
    """How to print data."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[
    Form, typer.Option("--output", "-o", help="How to print the result.", show_choices=True)
]

_STYLES = {
    "PASS": "green",
    "ready": "green",
    "running": "green",
    "WARN": "yellow",
    "not ready": "yellow",
    "cut": "yellow",
    "FAIL": "bold red",
    "stopped": "red",
    "off": "red",
    "unknown": "magenta",
    "UNKNOWN": "magenta",
    "BLOCKED": "magenta",
}


def plain(value: Any) -> Any:
    """Return a value made of JSON's own types; dataclasses become mappings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [plain(item) for item in items]
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def show(value: Any, form: Form, columns: Sequence[str] = ()) -> None:
    """Print rows (mappings or dataclasses) or one mapping.

    Args:
        value: what to print.
        form: table, JSON or YAML.
        columns: fields of the table, in order; all when empty.
    """
    data = plain(value)
    if form is Form.JSON:
        typer.echo(json.dumps(data, indent=2, sort_keys=True))
    elif form is Form.YAML:
        typer.echo(yaml.safe_dump(data, sort_keys=True, allow_unicode=True), nl=False)
    elif isinstance(data, Mapping):
        _print_table([{"field": key, "value": data[key]} for key in data], ("field", "value"))
    else:
        _print_table(data, columns)


def say(text: str) -> None:
    """Print words for a person, on stderr."""
    typer.echo(text, err=True)


def _print_table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    rows = list(rows)
    if not rows:
        say("nothing to show")
        return
    names = list(columns) or list(rows[0])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name.upper().replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    console = Console()
    if not console.is_terminal:
        # A pipe has no width: never fold or cut what another program will read.
        console = Console(width=10_000)
    console.print(table)


def _cell(value: Any) -> Text:
    text = _words(value)
    return Text(text, style=_STYLES.get(text, ""))


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return str(value)


def program() -> str:
    """Return what to type for this program: ``sunk``, or its path when PATH leads elsewhere."""
    here = Path(sys.argv[0])
    found = shutil.which("sunk")
    if here.name != "sunk" or (found is not None and Path(found).samefile(here)):
        return "sunk"
    near = os.path.relpath(here)
    return str(here) if near.startswith("..") else near
