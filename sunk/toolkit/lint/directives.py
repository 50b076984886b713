"""The ``#SBATCH`` lines of a script, read the way sbatch reads them.

What sbatch does (its source, and tried with 24.11): a line counts when its first bytes are
``#SBATCH``; reading stops at the first line that holds anything but white space and comments; the
words of all lines together make one argument list for getopt_long(3), so a value may even stand
on the next line. Quotes group, a backslash takes the next character as it is, a ``#`` outside
quotes and an empty word end the line. Nothing is expanded, and a backslash at the end continues
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sunk.toolkit.lint.options import SBATCH, Match, Takes, canonical, letters, match_long

MAGIC = "#SBATCH"
_SPACE = " \t\v\f\r"
_LETTERS = letters(SBATCH)
_LOOKALIKE = re.compile(r"^(?P<before>\s*#+\s*)SBATCH(?P<after>\s*:?\s*)-", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One word of a directive line.

    Attributes:
        text: after quotes and backslashes were taken away.
        line: counted from 1.
        column: of its first character, counted from 1.
    """

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One option that takes effect, unless a later one of the same name wins.

    Attributes:
        name: sbatch's long name.
        value: None when none was given.
        line: where it stands, counted from 1.
        column: counted from 1.
        written: the word as written, without its value.
        abbreviated: `written` is only the beginning of the name.
        component: number of the component in a heterogeneous job, 0 outside.
    """

    name: str
    value: str | None
    line: int
    column: int
    written: str
    abbreviated: bool = False
    component: int = 0


class FaultKind(StrEnum):
    """Why sbatch refuses a directive."""

    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    NO_VALUE = "no value"
    UNWANTED_VALUE = "unwanted value"
    STRAY_WORD = "stray word"
    QUOTE = "unmatched quote"
    COLON = "colon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A directive that sbatch refuses.

    Attributes:
        kind: why.
        text: the word at fault.
        line: counted from 1.
        column: counted from 1.
        candidates: what an ambiguous name may mean.
    """

    kind: FaultKind
    text: str
    line: int
    column: int
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """Everything that sbatch takes from a script, and what it does not.

    Attributes:
        options: those that take effect, in order.
        faults: those that it refuses.
        last_line: number of the last line before reading stops.
        late: numbers of lines that begin like a directive and come too late.
        lookalikes: numbers of comments that look like directives and are none.
    """

    options: tuple[Directive, ...] = ()
    faults: tuple[Fault, ...] = ()
    last_line: int = 0
    late: tuple[int, ...] = ()
    lookalikes: tuple[int, ...] = ()

    def last(self, *names: str) -> Directive | None:
        """Return the directive that wins among those of these names."""
        found = None
        for option in self.options:
            if option.name in names:
                found = option
        return found

    def value(self, name: str) -> str | None:
        """Return an option's value; None when it is absent or has none."""
        found = self.last(name)
        return found.value if found is not None else None

    def has(self, *names: str) -> bool:
        """Return whether any of these options is given."""
        return self.last(*names) is not None


def read_directives(lines: Sequence[str]) -> Directives:
    """Return the directives of a script.

    Args:
        lines: its lines, without line ends.
    """
    stop = next((n for n, line in enumerate(lines) if _is_command(line)), len(lines))
    options: list[Directive] = []
    faults: list[Fault] = []
    for component, numbers in enumerate(_components(lines[:stop])):
        tokens: list[Token] = []
        for number in numbers:
            fault = _split_into(tokens, lines[number], number + 1)
            faults += [fault] if fault else []
        for found in _getopt(tokens, component):
            (options if isinstance(found, Directive) else faults).append(found)  # type: ignore[arg-type]
    return Directives(
        options=tuple(options),
        faults=tuple(sorted(faults, key=lambda fault: (fault.line, fault.column))),
        last_line=stop,
        late=tuple(n + 1 for n in range(stop, len(lines)) if is_magic(lines[n])),
        lookalikes=tuple(n + 1 for n in range(stop) if is_lookalike(lines[n])),
    )


def is_magic(line: str) -> bool:
    """Return whether sbatch would read a line in the head of a script."""
    return line.startswith(MAGIC)


def is_lookalike(line: str) -> bool:
    """Return whether a comment looks like a directive to a person, and not to sbatch."""
    return not is_magic(line) and _LOOKALIKE.match(line) is not None


def _is_command(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith("#")


def _components(lines: Sequence[str]) -> list[list[int]]:
    """Return the numbers of directive lines of each component of a heterogeneous job."""
    found: list[list[int]] = [[]]
    for number, line in enumerate(lines):
        if not is_magic(line):
            continue
        words = line[len(MAGIC) :].split()
        if words and words[0].lower() in {"hetjob", "packjob"}:
            found.append([])
        else:
            found[-1].append(number)
    return found


def _split_into(tokens: list[Token], line: str, number: int) -> Fault | None:
    """Append the words of a directive line; return what makes sbatch stop there."""
    at = len(MAGIC)
    while True:
        while at < len(line) and line[at] in _SPACE:
            at += 1
        if at >= len(line) or line[at] == "#":
            return None
        if line[at] == ":":
            return Fault(kind=FaultKind.COLON, text=":", line=number, column=at + 1)
        text, end, quote = _word(line, at)
        if quote:
            return Fault(kind=FaultKind.QUOTE, text=quote, line=number, column=at + 1)
        if not text:
            return None
        tokens.append(Token(text=text, line=number, column=at + 1))
        at = end


def _word(line: str, at: int) -> tuple[str, int, str]:
    """Return a word, where it ends, and the quote that is left open."""
    taken: list[str] = []
    quote, escaped = "", False
    while at < len(line) and (quote or escaped or line[at] not in _SPACE):
        char = line[at]
        if escaped:
            escaped = False
            taken.append(char)
        elif char == "\\":
            escaped = True
        elif quote and char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote = char
        elif not quote and char == "#":
            break
        else:
            taken.append(char)
        at += 1
    return "".join(taken), at, quote


def _getopt(tokens: Sequence[Token], component: int) -> Iterator[Directive | Fault]:
    waiting = list(reversed(tokens))
    while waiting:
        token = waiting.pop()
        if token.text == "--":
            # What stands behind it is an operand, and sbatch takes none from a script.
            yield from (_fault(FaultKind.STRAY_WORD, one, one.text) for one in waiting[-1:])
            return
        if token.text.startswith("--"):
            yield _long(token, waiting, component)
        elif token.text.startswith("-") and len(token.text) > 1:
            yield from _short(token, waiting, component)
        else:
            yield _fault(FaultKind.STRAY_WORD, token, token.text)


def _long(token: Token, waiting: list[Token], component: int) -> Directive | Fault:
    name, equals, value = token.text[2:].partition("=")
    match = match_long(name, SBATCH)
    form = match.form
    if form is None:
        return _unknown(match, token, name)
    given: str | None = value if equals else None
    if form.takes is Takes.NONE and equals:
        return _fault(FaultKind.UNWANTED_VALUE, token, f"--{name}")
    if form.takes is Takes.REQUIRED and not equals:
        if not waiting:
            return _fault(FaultKind.NO_VALUE, token, f"--{name}")
        given = waiting.pop().text
    return Directive(
        name=canonical(form.name),
        value=given,
        line=token.line,
        column=token.column,
        written=f"--{name}",
        abbreviated=match.abbreviated,
        component=component,
    )


def _unknown(match: Match, token: Token, name: str) -> Fault:
    kind = FaultKind.AMBIGUOUS if match.candidates else FaultKind.UNKNOWN
    return Fault(
        kind=kind,
        text=f"--{name}",
        line=token.line,
        column=token.column,
        candidates=match.candidates,
    )


def _short(token: Token, waiting: list[Token], component: int) -> Iterator[Directive | Fault]:
    rest = token.text[1:]
    while rest:
        letter, rest = rest[0], rest[1:]
        form = _LETTERS.get(letter)
        if form is None:
            yield _fault(FaultKind.UNKNOWN, token, f"-{letter}")
            return
        value: str | None = None
        if form.takes is not Takes.NONE:
            value, rest = (rest or None), ""
        if form.takes is Takes.REQUIRED and value is None:
            if not waiting:
                yield _fault(FaultKind.NO_VALUE, token, f"-{letter}")
                return
            value = waiting.pop().text
        yield Directive(
            name=canonical(form.name),
            value=value,
            line=token.line,
            column=token.column,
            written=f"-{letter}",
            component=component,
        )


def _fault(kind: FaultKind, token: Token, text: str) -> Fault:
    return Fault(kind=kind, text=text, line=token.line, column=token.column)
