"""From the bytes of a file to a `Script`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from tree_sitter import Node

from sunk.toolkit.lint.directives import is_magic, read_directives
from sunk.toolkit.lint.launch import CONTAINERS, MPI_LAUNCHERS, SHELLS, inner_words, shell_text
from sunk.toolkit.lint.script import (
    Command,
    Comment,
    Context,
    HereDocument,
    Script,
    Setting,
    Unparsed,
)
from sunk.toolkit.lint.syntax import Source, Variables
from sunk.toolkit.lint.words import Kind, Part, Word

_LEVELS = 4
"""How deep scripts inside scripts are read; a person does not go further."""
_LEAVES = frozenset({"word", "number", "raw_string", "ansi_c_string", "variable_name"})
_LOOPS = frozenset({"for_statement", "while_statement", "c_style_for_statement"})
_APART = frozenset({"command_substitution", "process_substitution"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_CLIP = 60


def read_script(data: bytes) -> Script:
    """Return a script; any bytes give one.

    The body is read as shell when the first line names one, or names nothing.
    """
    text = data.decode(errors="replace").removeprefix("\ufeff")
    lines = tuple(line.removesuffix("\r") for line in text.split("\n"))
    interpreter = _interpreter(lines[0])
    script = Script(
        data=data, lines=lines, interpreter=interpreter, directives=read_directives(lines)
    )
    _settings_of_directives(script)
    if interpreter in SHELLS or not interpreter:
        skipped = len(b"\xef\xbb\xbf") if data.startswith(b"\xef\xbb\xbf") else 0
        source = Source(_without_returns(data[skipped:]), Variables(), offset=skipped)
        script.root = source.root
        _Reader(script, source).read(Context())
    return script


def _interpreter(line: str) -> str:
    if not line.startswith("#!"):
        return ""
    words = [PurePosixPath(word).name for word in line[2:].split() if not word.startswith("-")]
    if words[:1] == ["env"]:
        words = [word for word in words[1:] if "=" not in word]
    return words[0] if words else ""


def _without_returns(data: bytes) -> bytes:
    """Return the text with DOS line ends as spaces before the line's end, offsets unchanged."""
    return data.replace(b"\r\n", b" \n")


def _settings_of_directives(script: Script) -> None:
    for option in script.directives.options:
        if option.name == "export":
            for name, value in _pairs(option.value or ""):
                word = Word((Part(Kind.TEXT, value),), option.line, option.column)
                script.settings.append(_setting(name, word, Context(), None))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Return the pairs of ``ALL,NAME=VALUE``."""
    for item in text.split(","):
        if matched := _ASSIGNMENT.fullmatch(item):
            yield matched[1], matched[2]


def _setting(name: str, word: Word, context: Context, command: Command | None) -> Setting:
    return Setting(
        name=name, word=word, line=word.line, column=word.column, context=context, command=command
    )


class _Reader:
    """Reads one source, and the scripts inside it, into a script."""

    def __init__(self, script: Script, source: Source, parent: Command | None = None) -> None:
        self._script = script
        self._source = source
        self._parent = parent
        self._here: dict[int, HereDocument] = {}
        self._has_comments = "sunk-lint" in script.text

    def read(self, context: Context) -> None:
        stack = [(self._source.root, context)]
        while stack:
            node, at = stack.pop()
            inner = self._visit(node, at)
            children = node.children
            self._comments(children, at)
            for number in range(len(children) - 1, -1, -1):
                child = children[number]
                if child.type in _LEAVES or not (child.child_count or child.is_named):
                    if child.is_missing:
                        self._unparsed(child)
                    continue
                where = inner
                if number + 1 < len(children) and children[number + 1].type == "&":
                    where = replace(inner, background=True)
                stack.append((child, where))

    def _visit(self, node: Node, at: Context) -> Context:
        """Take what a node says, and return where its children stand."""
        kind = node.type
        if kind == "command":
            self._command(node, at)
        elif kind == "variable_assignment":
            self._assignment(node, at)
        elif kind == "ERROR" or node.is_missing:
            self._unparsed(node)
        elif kind == "redirected_statement":
            self._redirected(node)
        elif kind in _LOOPS:
            return replace(at, loop=node.id)
        elif kind in _APART:
            return replace(at, substitution=True, background=False)
        elif kind == "function_definition":
            name = node.child_by_field_name("name")
            function = self._source.raw(name) if name is not None else ""
            return Context(function=function, level=at.level)
        return at

    def _unparsed(self, node: Node) -> None:
        line, column = self._source.place(node)
        last = self._source.last_line(node)
        text = " ".join(self._source.raw(node).split())[:_CLIP]
        known = self._script.unparsed
        if not known or line > known[-1].last:
            known.append(Unparsed(line=line, column=column, last=last, text=text))

    def _comments(self, siblings: list[Node], at: Context) -> None:
        """Take the comments to the linter, each with the statement beside or below it."""
        if at.level or not self._has_comments:
            return
        below: Node | None = None
        for number in range(len(siblings) - 1, -1, -1):
            node = siblings[number]
            if node.type != "comment":
                below = node if node.is_named else below
                continue
            text = self._source.raw(node)
            if "sunk-lint" in text:
                before = siblings[number - 1] if number else None
                self._script.comments.append(self._comment(node, text, before, below))
            if is_magic(text):
                below = node

    def _comment(self, node: Node, text: str, before: Node | None, below: Node | None) -> Comment:
        line, _ = self._source.place(node)
        first = last = line
        alone = not self._script.lines[line - 1].partition("#")[0].strip()
        if alone and below is not None and not is_magic(text):
            first, last = self._source.place(below)[0], self._source.last_line(below)
        elif not alone and before is not None and self._source.last_line(before) == line:
            first = self._source.place(before)[0]
        return Comment(text=text, line=line, first=first, last=last)

    def _assignment(self, node: Node, at: Context) -> None:
        name = node.child_by_field_name("name")
        parent = node.parent
        if name is None or (parent is not None and parent.type == "command"):
            return  # those before a command are taken with it
        self._settings(node, at, None)

    def _settings(self, node: Node, at: Context, command: Command | None) -> None:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if name is None or (value is not None and value.type == "array"):
            return
        word = self._source.value(value, node)
        line, column = self._source.place(node)
        parent = node.parent
        self._script.settings.append(
            Setting(
                name=self._source.raw(name),
                word=word,
                line=line,
                column=column,
                context=at,
                command=command,
                exported=command is not None
                or (parent is not None and parent.type == "declaration_command"),
            )
        )

    def _redirected(self, node: Node) -> None:
        body = node.child_by_field_name("body")
        while body is not None and body.type in {"redirected_statement", "pipeline", "list"}:
            named = body.named_children
            body = named[-1] if named else None
        if body is None or body.type != "command":
            return
        for child in node.children:
            if child.type != "heredoc_redirect":
                continue
            text = next((one for one in child.children if one.type == "heredoc_body"), None)
            start = next((one for one in child.children if one.type == "heredoc_start"), None)
            if text is None or start is None:
                continue
            quoted = self._source.raw(start)[:1] in {"'", '"', "\\"}
            piped = next((one for one in child.children if one.type == "pipeline"), None)
            self._take_here(self._reader_of(body, piped), text, quoted=quoted)

    @staticmethod
    def _reader_of(body: Node, piped: Node | None) -> Node:
        """Return the command that reads a here-document: behind ``cat <<EOF |`` the next one."""
        if piped is None:
            return body
        return next((one for one in piped.named_children if one.type == "command"), body)

    def _take_here(self, reader: Node, text: Node, *, quoted: bool) -> None:
        if quoted:
            parts: tuple[Part, ...] = (Part(Kind.TEXT, self._source.raw(text)),)
        else:
            parts = tuple(self._source.parts(text))
        line, column = self._source.place(text)
        word = Word(parts, line, column)
        self._here[reader.id] = HereDocument(word=word, line=line, quoted=quoted)

    def _command(self, node: Node, at: Context) -> None:
        words: list[Word] = []
        prefix: list[Node] = []
        for child in node.children:
            kind = child.type
            if kind == "variable_assignment":
                prefix.append(child)
            elif kind == "command_name":
                words += self._source.words(child.children[0]) if child.children else ()
            elif kind not in {"file_redirect", "herestring_redirect", "heredoc_redirect"}:
                words += self._source.words(child)
        line, column = self._source.place(node)
        command = self._add(tuple(words), node, at, self._parent, (line, column))
        for assignment in prefix:
            self._settings(assignment, at, command)

    def _add(
        self,
        words: tuple[Word, ...],
        node: Node,
        at: Context,
        parent: Command | None,
        place: tuple[int, int],
    ) -> Command | None:
        if not words:
            return None
        name = words[0].text.rsplit("/", 1)[-1]
        command = Command(
            words=words,
            name=name,
            line=place[0],
            column=place[1],
            node=node,
            context=at,
            parent=parent,
            here=self._here.get(node.id),
        )
        self._script.commands.append(command)
        self._settings_in_words(command)
        self._go_inside(command)
        return command

    def _go_inside(self, command: Command) -> None:
        """Read what a command starts: another command, or a script."""
        name, words = command.name, command.words
        if name in SHELLS:
            text = shell_text(words)
            if text is not None:
                self._nested(command, text, command.context)
            elif command.here is not None and all(w.text.startswith("-") for w in words[1:]):
                self._nested(command, command.here.word, command.context)
            return
        if name == "eval" and len(words) > 1:
            joined: list[Part] = []
            for word in words[1:]:
                joined += (*word.parts, Part(Kind.TEXT, " "))
            first = words[1]
            self._nested(command, Word(tuple(joined), first.line, first.column), command.context)
            return
        inner = tuple(inner_words(name, words))
        if inner and len(inner) < len(words):
            place = (inner[0].line, inner[0].column)
            self._add(inner, command.node, command.context, command, place)

    def _nested(self, command: Command, word: Word, at: Context) -> None:
        if at.level >= _LEVELS:
            return
        text = word.text
        rows = text.count("\n")
        written = word.end < 0 or self._script.data[word.start : word.end].count(b"\n") == rows
        here = command.here is not None and word is command.here.word
        source = Source(
            text.encode(errors="replace"),
            self._source.variables,
            line=word.line,
            column=0 if here else word.column,
            offset=-1,
            flat=not written or word.line + rows > len(self._script.lines),
        )
        inside = replace(at, level=at.level + 1, substitution=False)
        _Reader(self._script, source, command).read(inside)

    def _settings_in_words(self, command: Command) -> None:
        """Take the variables that a launcher is told to set for its program."""
        name = command.name
        if name == "srun":
            if text := command.step.value("export"):
                at = command.step.words["export"]
                for key, value in _pairs(text):
                    word = Word((Part(Kind.TEXT, value),), at.line, at.column)
                    self._script.settings.append(_setting(key, word, command.context, command))
        elif name == "env":
            self._leading(command)
        elif name in MPI_LAUNCHERS:
            self._behind(command, frozenset({"-x", "-genv", "-env"}))
        elif name in CONTAINERS:
            self._behind(command, frozenset({"--env"}))

    def _leading(self, command: Command) -> None:
        for word in command.words[1:]:
            if word.text.startswith("-"):
                continue
            if not self._take_pair(word, command):
                return

    def _behind(self, command: Command, flags: frozenset[str]) -> None:
        words = command.words
        for number, word in enumerate(words[:-1]):
            if word.text in flags and not self._take_pair(words[number + 1], command):
                pair = words[number + 1 : number + 3]
                if "genv" in word.text or word.text == "-env":
                    self._take_two(pair, command)
            elif word.text.startswith("--env="):
                self._take_pair(_cut(word, len("--env=")), command)

    def _take_two(self, pair: tuple[Word, ...], command: Command) -> None:
        if len(pair) == 2 and pair[0].text.isidentifier():
            setting = _setting(pair[0].text, pair[1], command.context, command)
            self._script.settings.append(setting)

    def _take_pair(self, word: Word, command: Command) -> bool:
        matched = _ASSIGNMENT.fullmatch(word.text)
        if matched is None or not word.parts or word.parts[0].kind is not Kind.TEXT:
            return False
        name = matched[1]
        value = _cut(word, len(name) + 1)
        self._script.settings.append(_setting(name, value, command.context, command))
        return True


def _cut(word: Word, count: int) -> Word:
    """Return a word without its first characters, which are text."""
    parts = list(word.parts)
    while parts and count:
        first = parts[0]
        if len(first.text) > count or first.kind is not Kind.TEXT:
            parts[0] = replace(first, text=first.text[count:])
            count = 0
        else:
            count -= len(first.text)
            parts.pop(0)
    start = word.start if word.start < 0 else -1
    return Word(tuple(parts), word.line, word.column, start, -1)
