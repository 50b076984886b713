"""Every command that a person could copy from help, pages or messages is one that exists."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.core import TyperGroup

from tests.support.command_line import entries, examples, page, parse, sunk_commands
from tests.support.golden import check_generated
from tests.support.pages import DOCS, ROOT, Line, pages, shell_lines, spans

ENTRIES = entries()
COMMANDS = [one for one in ENTRIES if not isinstance(one.command, TyperGroup)]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_reference_of_commands_is_what_the_commands_say():
    check_generated(DOCS / "reference" / "cli.md", page())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one.name)
def test_help_has_examples_of_this_very_command_that_parse(entry):
    listed = examples(entry.help)
    assert listed
    for line in listed:
        commands = sunk_commands(line)
        assert commands
        assert tuple(commands[0][: len(entry.path)]) == entry.path
        for words in commands:
            parse(words)


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda one: one.name)
def test_help_says_what_the_command_changes(entry):
    assert "Touches" in entry.help or "hanges nothing" in entry.help or entry.name in HARMLESS


HARMLESS = {
    "sunk job render": "its first line says so",
    "sunk local ssh": "what the command there does",
    "sunk local node kill": "its first line says so",
    "sunk local node start": "its first line says so",
    "sunk local node cut": "its first line says so",
    "sunk local node heal": "its first line says so",
}
"""Commands whose whole help is about what they change."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one.name)
def test_every_word_and_option_has_a_help_text(entry):
    silent = [one.name for one in entry.command.params if not (one.help or "").strip()]
    assert silent == []


@pytest.mark.parametrize("file", pages(), ids=shown)
def test_commands_in_console_blocks_parse(file):
    for line in shell_lines(file):
        for words in sunk_commands(line.text):
            must_parse(words, line)
        if line.text.startswith("make "):
            for words in made_by(line):
                must_parse(words, line)


@pytest.mark.parametrize("file", pages(), ids=shown)
def test_commands_in_running_text_exist(file):
    for line in spans(file):
        for words in sunk_commands(line.text):
            must_parse(words, line, may_lack_words=True)
        if line.text.startswith("make "):
            made_by(line)


def must_parse(words: list[str], line: Line, *, may_lack_words: bool = False) -> None:
    try:
        parse(words)
    except Exception as exc:  # noqa: BLE001 - whatever the parser says, this line is wrong
        if may_lack_words and type(exc).__name__ in {"MissingParameter", "BadOptionUsage"}:
            return
        pytest.fail(f"{line}: {' '.join(words)}: {type(exc).__name__}: {exc}")


def made_by(line: Line) -> list[list[str]]:
    """Return the sunk commands that a line with make would run; the target must exist."""
    text, _, _ = line.text.partition(" #")
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *shlex.split(text)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {line.text}: {done.stderr}"
    return [words for row in done.stdout.splitlines() for words in sunk_commands(row.lstrip("@"))]


def advice() -> list[Line]:
    """Return what messages tell people to type: hints and remedies, values as one word."""
    found = []
    roots = (ROOT / name for name in ("sunk", "fabric", "jobs", "validation"))
    for file in sorted(one for root in roots for one in root.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if not isinstance(call, ast.Call):
                continue
            for keyword in call.keywords:
                if keyword.arg in {"hint", "remedy"} and (text := spoken(keyword.value)):
                    found.append(Line(file=file, number=keyword.value.lineno, text=text))
    return found


def spoken(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(spoken(one) for one in values)
        case ast.FormattedValue():
            return "x1"
        case _:
            return ""


SENTENCE = re.compile(r" \(| lists | shows | names ")
"""Where a hint goes on after the command: ``sunk doctor lists what is missing``."""


def test_commands_in_hints_parse():
    checked = 0
    for line in advice():
        at = line.text.find("sunk ")
        if at < 0 or line.text[max(at - 2, 0) : at] not in {"", ": "}:
            continue
        must_parse(SENTENCE.split(line.text[at:])[0].split(), line)
        checked += 1
    assert checked >= 5
