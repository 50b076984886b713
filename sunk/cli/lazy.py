"""Load modules when they are used: `sunk version` and the Tab key must not pay for paramiko."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Lazy:
    """A command, or group of commands, in a module with a typer ``app``.

    Attributes:
        name: what people type.
        module: where its ``app`` is.
        help: one line for the list of commands; known without loading the module.
    """

    name: str
    module: str
    help: str


class Later:
    """Stands in for a module until something of it is used.

    Command modules need it for whatever is slow to import: their options are read, for help and
    completion, far more often than they are run.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._module), name)


def lazy_group(commands: Sequence[Lazy]) -> type[TyperGroup]:
    """Return a group class that has these commands beside its own."""
    by_name = {one.name: one for one in commands}

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            """Return all names, sorted."""
            return sorted({*super().list_commands(ctx), *by_name})

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """Return a command, or what stands for it in a list: name and one line of help."""
            if cmd_name not in by_name:
                return super().get_command(ctx, cmd_name)
            return TyperCommand(name=cmd_name, short_help=by_name[cmd_name].help)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """Return the command that is meant, loaded, and the words that are left for it."""
            name, command, rest = super().resolve_command(ctx, args)
            if name not in by_name:
                return name, command, rest
            one = by_name[name]
            loaded = typer.main.get_command(import_module(one.module).app)
            loaded.name, loaded.short_help = one.name, one.help
            return name, loaded, rest

    return LazyGroup
