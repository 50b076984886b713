"""Words of the shell: what stands in them, and what of it is known before the job runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a part of a word is."""

    TEXT = "text"
    VARIABLE = "variable"
    COMMAND = "command"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word.

    Attributes:
        kind: what it is.
        text: its text; of anything but TEXT, as written in the script.
        name: of a VARIABLE.
        default: of ``${NAME:-default}``, None without one.
        quoted: it is not split at white space.
    """

    kind: Kind
    text: str
    name: str = ""
    default: str | None = None
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command, variables with a constant value put in.

    Attributes:
        parts: its pieces.
        line: where it stands, counted from 1.
        column: in characters, counted from 1.
        start: its first byte in the file, -1 for words out of text that was put together.
        end: the byte behind its last.
    """

    parts: tuple[Part, ...]
    line: int
    column: int
    start: int = -1
    end: int = -1

    @property
    def text(self) -> str:
        """What is known of it; the rest stands there as written, ``$NAME`` or ``$(command)``."""
        if len(self.parts) == 1:
            return self.parts[0].text
        return "".join(part.text for part in self.parts)

    @property
    def constant(self) -> bool:
        """Whether all of it is known."""
        return all(part.kind is Kind.TEXT for part in self.parts)

    @property
    def number(self) -> int | None:
        """Its value as a decimal number, None when it is none or unknown."""
        return number_in(self.text)

    def expands(self, *names: str) -> str | None:
        """Return which of these variables the shell that reads this word puts in, if any."""
        for part in self.parts:
            if part.kind is Kind.VARIABLE and part.name in names:
                return part.name
        return None


def number_in(text: str | None) -> int | None:
    """Return a decimal number, None when the text is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def split_fields(parts: list[Part]) -> list[tuple[Part, ...]]:
    """Return the words that an unquoted expansion makes of these parts."""
    if all(part.quoted or part.kind is not Kind.TEXT for part in parts):
        return [tuple(parts)]
    words: list[list[Part]] = [[]]
    for part in parts:
        if part.quoted or part.kind is not Kind.TEXT:
            words[-1].append(part)
            continue
        pieces = part.text.split()
        if part.text[:1].isspace() and words[-1]:
            words.append([])
        for number, piece in enumerate(pieces):
            if number:
                words.append([])
            words[-1].append(Part(Kind.TEXT, piece))
        if pieces and part.text[-1:].isspace():
            words.append([])
    return [tuple(word) for word in words if word]
