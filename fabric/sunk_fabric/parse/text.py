"""Lines of foreign text, and what parsing them gave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Content = bytes | Iterable[bytes]
"""A whole output, or pieces of it in order, such as an open file."""

LINE_LIMIT = 8192
"""Characters; node descriptions have 64 bytes at most, so no genuine line comes near."""
QUOTED = 5
"""How many lines that fit no rule are kept with their text."""
DESCRIPTION_BYTES = 64
"""Length of a NodeDescription, InfiniBand architecture 1.3, 14.2.5.2."""
_TOOL_WARNINGS = ("ibwarn: [", "ibpanic: [", "src/query_smp.c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed(Generic[T]):
    """The outcome of a parser.

    Attributes:
        value: what could be read.
        lines: how many lines there were; 0 for an empty output.
        unknown: how many fit no rule.
        quoted: the first of those, as ``line 7: text``.
        damage: what makes the value untrustworthy, each in words.
    """

    value: T
    lines: int
    unknown: int
    quoted: tuple[str, ...]
    damage: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Return whether a verdict may rest on the value."""
        return not self.unknown and not self.damage

    @property
    def trouble(self) -> str:
        """Return the first thing that is wrong, in words; empty when sound."""
        if self.damage:
            return self.damage[0]
        if self.unknown:
            count = f"{self.unknown} line{'s' * (self.unknown > 1)} not understood"
            return f"{count}, {self.quoted[0]}"
        return ""


class Reader:
    """Splits content into lines and gathers what is wrong with them.

    Iterate it once; then ask it for the outcome.
    """

    def __init__(self, content: Content, *, line_limit: int = LINE_LIMIT) -> None:
        self._chunks = (content,) if isinstance(content, bytes) else content
        self._limit = line_limit
        self._unknown = 0
        self._quoted: list[str] = []
        self._damage: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        """Yield lines without their ends; tools' own warnings are damage, not lines."""
        for raw in self._raw_lines():
            self.number += 1
            line = raw.decode("utf-8", "backslashreplace").removesuffix("\r")
            if len(line) > self._limit:
                self.damaged(f"line {self.number} has {len(line)} characters")
            elif line.startswith(_TOOL_WARNINGS):
                self.damaged(f"the tool warned: {printable(line)}")
            else:
                yield line

    def _raw_lines(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self._chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > 8 * self._limit:
                # Nothing genuine; do not hold an endless line in memory.
                rest = rest[: 4 * self._limit]
        if rest:
            self.damaged("the last line does not end: the text is cut off")
            yield rest

    def unknown(self, line: str) -> None:
        """Count a line that fits no rule."""
        self._unknown += 1
        if len(self._quoted) < QUOTED:
            self._quoted.append(f"line {self.number}: {printable(line)}")

    def damaged(self, what: str) -> None:
        """Note what makes the value untrustworthy, once."""
        if what not in self._damage[-QUOTED:] and len(self._damage) < 100:
            self._damage.append(what)

    def outcome(self, value: T) -> Parsed[T]:
        """Return the value with all that was noted; an empty text is damage."""
        if not self.number:
            # Before what a parser misses in it, which follows from this.
            self._damage.insert(0, "the output is empty")
        return Parsed(
            value=value,
            lines=self.number,
            unknown=self._unknown,
            quoted=tuple(self._quoted),
            damage=tuple(self._damage),
        )

    def description(self, text: str) -> str:
        """Return a node description for display; one longer than the standard's is damage."""
        if len(text.encode()) > DESCRIPTION_BYTES and "\\x" not in text:
            self.damaged(f"line {self.number}: a node description of {len(text.encode())} bytes")
        return printable(text, DESCRIPTION_BYTES)


def printable(text: str, limit: int = 120) -> str:
    r"""Return foreign text that is safe to show: no control characters, not too long.

    What no terminal should get is written as an escape: ``\x1b``.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:limit]
    )
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def guid(text: str) -> str:
    """Return a GUID as 16 hexadecimal digits, from any of the tools' ways to write one.

    ``0xa088c20300001000``, ``a088:c203:0000:1000`` and ``a088c20300001000`` are the same.
    """
    return text.removeprefix("0x").replace(":", "").lower().zfill(16)
