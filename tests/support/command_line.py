"""The command line as data: every command, its examples, its page in the reference.

One walk serves the generated page (docs/reference/cli.md) and the tests that hold help texts,
pages and messages to what the parser really takes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from sunk.cli.app import app

HEAD = """\
<!-- Made from the help texts by `make golden`; edit those, in sunk/cli. -->
# Commands

Every command says the same about itself with `--help`. Data goes to stdout, words and progress
to stderr, so `--output json` and `--output yaml` can be piped. What the exit codes mean is in
[Exit codes and errors](errors.md); where everything lies, in
[Files, ports and variables](places.md).

On the machine that you set up, `sunk` is `.venv/bin/sunk`; on a login node it is on the `PATH`.

`sunk --install-completion` teaches the shell at hand (bash, zsh, fish) to complete commands,
options and the names of clusters, nodes, logs, contexts, templates and jobs. It writes a file below
your home folder and, for bash and zsh, a line into the shell's start file.
`sunk --show-completion` prints the script instead. Login nodes have it for bash already.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One command or group.

    Attributes:
        path: the words that call it, from ``sunk`` on.
        command: what typer made of it.
        context: to ask it about itself.
    """

    path: tuple[str, ...]
    command: Any
    context: Any

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def is_group(self) -> bool:
        return isinstance(self.command, TyperGroup)

    @property
    def help(self) -> str:
        return self.command.help or ""


def entries() -> tuple[Entry, ...]:
    """Return every command and group, a group before what is in it, in the order of the help."""
    return tuple(_walk(("sunk",), _root(), None))


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _walk(path: tuple[str, ...], command: Any, parent: Any) -> Iterator[Entry]:
    context = command.context_class(command, info_name=path[-1], parent=parent)
    yield Entry(path=path, command=command, context=context)
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            _, found, _ = command.resolve_command(context, [name])
            yield from _walk((*path, name), found, context)


def examples(text: str) -> list[str]:
    """Return the command lines that a help text lists after ``For example:``."""
    _, _, rest = text.partition("For example:")
    return re.findall(r"^\s*- `([^`]+)`$", rest, flags=re.MULTILINE)


def sunk_commands(line: str) -> list[list[str]]:
    """Return the words of each ``sunk`` command on a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if set(word) <= set("<>|&;()"):
            skip = word in {">", ">>", "<"}
            if not skip:
                found.append([])
        elif not skip:
            found[-1].append(word)
        else:
            skip = False
    return [words for words in found if words and words[0] in {"sunk", ".venv/bin/sunk"}]


AT_ONCE = {"--help", "-h", "--install-completion", "--show-completion"}
"""Options that act while they are parsed, and exit."""


def parse(words: Sequence[str]) -> None:
    """Parse the words of a ``sunk`` command with the real parser, running nothing.

    Raises:
        Exception: the parser's own, as a person would meet it.
    """
    command = _root()
    context, name, rest = None, "sunk", [word for word in words[1:] if word not in AT_ONCE]
    while isinstance(command, TyperGroup):
        if not rest:
            return  # a group alone prints its help
        with command.make_context(name, rest, parent=context) as made:
            context = made
        words_left = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, words_left)
    with command.make_context(name, rest, parent=context):
        return


def page() -> str:
    """Return the reference page of every command."""
    parts = [HEAD]
    for entry in entries():
        if len(entry.path) > 1:
            parts.append(_section(entry))
    return "\n".join(parts)


def _section(entry: Entry) -> str:
    mark = "##" if len(entry.path) == 2 else "###"
    prose, _, _ = entry.help.partition("For example:")
    lines = [f"{mark} {entry.name}", "", "```text", _usage(entry), "```", ""]
    lines += [_labelled(prose.strip()), ""]
    if rows := [_row(one) for one in entry.command.params if one.name != "help"]:
        lines += ["| word or option | default | meaning |", "|---|---|---|", *rows, ""]
    if shown := examples(entry.help):
        lines += ["```console", *shown, "```", ""]
    return "\n".join(lines)


def _usage(entry: Entry) -> str:
    pieces = entry.command.collect_usage_pieces(entry.context)
    if entry.context.allow_extra_args and not entry.is_group:
        pieces.append("[WORDS]...")
    return " ".join((entry.name, *(piece.strip("{}") for piece in pieces)))


def _labelled(prose: str) -> str:
    return re.sub(r"^(Touches|Exit codes):", r"**\1:**", prose, flags=re.MULTILINE)


def _row(parameter: Any) -> str:
    meaning, default = parameter.help or "", ""
    if noted := re.search(r" \[([^\]]+)\]\.$", meaning):
        meaning, default = meaning[: noted.start()] + ".", _noted(noted[1])
    elif parameter.default is not None and not parameter.required:
        default = _default(parameter)
    cells = (_spelling(parameter), default, meaning)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`"
    names = ", ".join(f"`{one}`" for one in (*parameter.opts, *parameter.secondary_opts))
    if isinstance(parameter.default, bool):
        return names
    choices = parameter.type_descriptor.choices
    value = parameter.metavar or "|".join(str(one.value) for one in choices)
    return f"{names} {value}"


def _noted(text: str) -> str:
    """Return ``[env: NAME; default: VALUE]`` as a cell."""
    notes = dict(part.split(": ", 1) for part in text.split("; "))
    origin = f", or `{notes['env']}`" if "env" in notes else ""
    return f"`{notes['default']}`{origin}"


def _default(parameter: Any) -> str:
    value = parameter.default
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value.value if isinstance(value, Enum) else value}`"
