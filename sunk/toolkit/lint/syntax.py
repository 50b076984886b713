"""Bash as a tree (tree-sitter), and the words in it with what is known of variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import tree_sitter_bash
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from sunk.toolkit.lint.words import Kind, Part, Word, split_fields

_LANGUAGE = Language(tree_sitter_bash.language())
_ASSIGNED = Query(
    _LANGUAGE,
    """
    (variable_assignment) @assigned
    (for_statement variable: (variable_name) @changed)
    (command name: (command_name (word) @_name) argument: (word) @changed
      (#match? @_name "^(read|mapfile|readarray)$"))
    """,
)
_ESCAPED = re.compile(r"\\(.|\n)", re.DOTALL)
_ESCAPED_IN_STRING = re.compile(r"\\([$`\"\\]|\n)")
_ASCII = bytes(range(128)) + b"%" * 128
_PLAIN = frozenset({"word", "number", "extglob_pattern", "variable_name", "test_operator"})
_DEFAULTS = frozenset({":-", "-", ":=", "="})
_LIMIT = 400
"""Parts of a word, beyond which its variables are left unknown: they may double at each step."""
_DEPTH = 12
"""How many variables may stand inside each other."""


def parse(text: bytes) -> Node:
    """Return the root of a script's syntax tree; any bytes give one."""
    # The grammar's scanner gives any character to isdigit(3), which is undefined beyond a byte
    # and ends the process. To a shell such characters are those of words, and so are these.
    return Parser(_LANGUAGE).parse(text.translate(_ASCII)).root_node


@dataclass(slots=True)
class Variables:
    """Variables with one value in the whole script.

    Attributes:
        values: name -> parts of the value, for plain variables.
        arrays: name -> words, for arrays.
    """

    values: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    arrays: dict[str, tuple[tuple[Part, ...], ...]] = field(default_factory=dict)


class Source:
    """The text of one shell script, or of one that stands inside another.

    Args:
        text: the bytes that the tree was made of.
        variables: what is known from outside.
        line: number of its first line in the file.
        column: characters before its first character on that line.
        offset: byte of the file where it begins; -1 when it was put together.
        flat: its lines do not stand in the file: everything is on `line`.
    """

    def __init__(
        self,
        text: bytes,
        variables: Variables,
        *,
        line: int = 1,
        column: int = 0,
        offset: int = 0,
        flat: bool = False,
    ) -> None:
        self.text = text
        self.root = parse(text)
        self._line, self._column, self._offset, self._flat = line, column, offset, flat
        self.variables = Variables(values=dict(variables.values), arrays=dict(variables.arrays))
        self._pending: dict[str, list[Node]] = {}
        self._learn()

    def place(self, node: Node) -> tuple[int, int]:
        """Return line and column of a node in the file."""
        row, byte_column = node.start_point
        if self._flat:
            return self._line, self._column + 1
        start = node.start_byte - byte_column
        column = len(self.text[start : node.start_byte].decode(errors="replace"))
        return self._line + row, column + 1 + (self._column if row == 0 else 0)

    def last_line(self, node: Node) -> int:
        """Return the number of the last line of a node in the file."""
        return self._line if self._flat else self._line + node.end_point[0]

    def raw(self, node: Node) -> str:
        """Return the text of a node, as written."""
        return self.text[node.start_byte : node.end_byte].decode(errors="replace")

    def words(self, node: Node) -> Iterator[Word]:
        """Return what a node of a command becomes: one word, or several, or none."""
        if (spliced := self._array_words(node)) is not None:
            yield from (self._word(node, one) for one in spliced)
            return
        parts = self.parts(node)
        if node.type in {"simple_expansion", "expansion", "concatenation"}:
            for words in split_fields(parts):
                yield self._word(node, words)
        else:
            yield self._word(node, tuple(parts))

    def value(self, node: Node | None, at: Node) -> Word:
        """Return the value of an assignment as a word; `at` says where it stands."""
        if node is None:
            return self._word(at, ())
        return self._word(node, tuple(self.parts(node)))

    def _word(self, node: Node, parts: tuple[Part, ...]) -> Word:
        line, column = self.place(node)
        if self._offset < 0 or self._flat:
            return Word(parts, line, column)
        return Word(
            parts, line, column, self._offset + node.start_byte, self._offset + node.end_byte
        )

    def parts(self, node: Node, *, quoted: bool = False, depth: int = 0) -> list[Part]:
        """Return the parts of a word, constants put in."""
        kind = node.type
        found: list[Part] = []
        if kind in _PLAIN and not node.child_count:
            found = [Part(Kind.TEXT, _ESCAPED.sub(_unescape, self.raw(node)))]
        elif kind == "raw_string":
            found = [Part(Kind.TEXT, self.raw(node)[1:-1])]
        elif kind in {"string", "translated_string", "heredoc_body"}:
            found = self._string(node, depth)
        elif kind == "ansi_c_string":
            found = [Part(Kind.TEXT, _decode_ansi(self.raw(node)[2:-1]))]
        elif kind == "concatenation":
            for child in node.children:
                found += self.parts(child, quoted=quoted, depth=depth)
        elif kind in {"simple_expansion", "expansion"}:
            found = self._expansion(node, quoted=quoted, depth=depth)
        elif kind in {"command_substitution", "process_substitution"}:
            found = [Part(Kind.COMMAND, self.raw(node), quoted=quoted)]
        else:
            found = [Part(Kind.OTHER, self.raw(node), quoted=quoted)]
        return found

    def _string(self, node: Node, depth: int) -> list[Part]:
        plain = node.type == "heredoc_body"
        first = node.start_byte if plain else node.start_byte + self.raw(node).index('"') + 1
        end = node.end_byte if plain else max(first, node.end_byte - 1)
        found: list[Part] = []
        at = first
        for child in node.children:
            if child.type not in _IN_STRING or child.start_byte < at:
                continue
            found += self._literal(at, child.start_byte)
            found += self.parts(child, quoted=True, depth=depth)
            at = child.end_byte
        return found + self._literal(at, end)

    def _literal(self, start: int, end: int) -> list[Part]:
        if start >= end:
            return []
        text = self.text[start:end].decode(errors="replace")
        return [Part(Kind.TEXT, _ESCAPED_IN_STRING.sub(_unescape, text))]

    def _expansion(self, node: Node, *, quoted: bool, depth: int) -> list[Part]:
        name, default, plain = self._read_expansion(node)
        raw = self.raw(node)
        unknown = Part(Kind.VARIABLE, raw, name=name, default=default, quoted=quoted)
        if not plain:
            return [unknown]
        value = self._value_of(name, depth)
        if value is None or len(value) > _LIMIT:
            return [unknown]
        return [
            Part(part.kind, part.text, part.name, part.default, quoted=quoted) for part in value
        ]

    def _read_expansion(self, node: Node) -> tuple[str, str | None, bool]:
        """Return name, default, and whether it is the value and nothing else."""
        name, default, plain, operator = "", None, True, ""
        for child in node.children:
            if child.type in {"variable_name", "special_variable_name"} and not name:
                name = self.raw(child)
            elif child.type == "subscript":
                name, plain = self.raw(child), False
            elif child.type in {"$", "${", "}"}:
                continue
            elif operator and default is None:
                default = self.raw(child)
            else:
                operator, plain = self.raw(child), False
        if operator not in _DEFAULTS:
            return name, None, plain
        return name, (default or "").strip("\"'"), plain

    def _value_of(self, name: str, depth: int) -> tuple[Part, ...] | None:
        if name in self.variables.values:
            return self.variables.values[name]
        nodes = self._pending.get(name)
        if not nodes or depth >= _DEPTH:
            return None
        found: list[Part] = []
        self._pending[name] = []  # a value that names itself stays unknown
        for node in nodes:
            value = node.child_by_field_name("value")
            if value is not None:
                found += self.parts(value, quoted=True, depth=depth + 1)
            if len(found) > _LIMIT:
                return None
        self._pending[name] = nodes
        if depth == 0:
            self.variables.values[name] = tuple(found)
        return tuple(found)

    def _array_words(self, node: Node) -> list[tuple[Part, ...]] | None:
        """Return the words of ``"${NAME[@]}"`` when the array is known."""
        inner = node
        if node.type == "string" and node.named_child_count == 1:
            inner = node.named_children[0]
        if inner.type != "expansion":
            return None
        matched = re.fullmatch(r"\$\{(\w+)\[[@*]\]\}", self.raw(inner))
        return self._array(matched[1]) if matched else None

    def _array(self, name: str) -> list[tuple[Part, ...]] | None:
        if name in self.variables.arrays:
            return list(self.variables.arrays[name])
        nodes = self._pending.get(name)
        if not nodes:
            return None
        found: list[tuple[Part, ...]] = []
        self._pending[name] = []
        for node in nodes:
            value = node.child_by_field_name("value")
            if value is None or value.type != "array":
                return None
            for child in value.named_children:
                if child.type != "comment":
                    found += (word.parts for word in self.words(child))
            if len(found) > _LIMIT:
                return None
        self.variables.arrays[name] = tuple(found)
        return found

    def _learn(self) -> None:
        """Find the variables that are assigned once, or once and then appended to."""
        captured: Mapping[str, list[Node]] = QueryCursor(_ASSIGNED).captures(self.root)
        changed = {self.raw(node) for node in captured.get("changed", [])}
        first: dict[str, str] = {}
        for node in sorted(captured.get("assigned", []), key=lambda one: one.start_byte):
            target = node.child_by_field_name("name")
            if target is None or target.type != "variable_name":
                continue
            name = self.raw(target)
            appends = any(child.type == "+=" for child in node.children)
            self.variables.values.pop(name, None)
            self.variables.arrays.pop(name, None)
            value = node.child_by_field_name("value")
            text = self.raw(value) if value is not None else ""
            if not appends and name in first and first[name] != text:
                changed.add(name)
            elif appends:
                self._pending.setdefault(name, []).append(node)
            elif name not in first:
                first[name] = text
                self._pending.setdefault(name, []).append(node)
        for name in changed:
            self._pending.pop(name, None)
            self.variables.values.pop(name, None)


_IN_STRING = frozenset(
    {
        *("simple_expansion", "expansion", "command_substitution"),
        *("arithmetic_expansion", "process_substitution"),
    }
)


def _unescape(found: re.Match[str]) -> str:
    return "" if found[1] == "\n" else found[1]


_ANSI = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


def _decode_ansi(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ANSI.get(found[1], found[1]), text)
