"""Hostlists, Slurm's folded node names, expanded and folded: ``gpu-[01-03,7]``, ``r[1-2]n[01-10]``.

Expanding follows ``scontrol show hostnames``: the order of the text is kept, and so are repeated
names. Stricter than Slurm in one way: empty parts, blanks and single brackets are errors. Standard
library only, because a job may have to do it where Slurm's commands are missing.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator

EXPANSION_LIMIT = 1_000_000
"""Names that one text may stand for: above every cluster, and a typing error fills no memory."""

LITERAL = re.compile(r"[A-Za-z0-9._-]+")
"""What stands outside of brackets."""
_RANGE = re.compile(r"(?P<low>[0-9]{1,18})(?:-(?P<high>[0-9]{1,18}))?")
_NUMBERED = re.compile(r"(?P<before>.*?)(?P<digits>[0-9]{1,18})(?P<after>[^0-9]*)")
_MESSAGE_LIMIT = 256

_Range = tuple[int, int, int]
"""First number, last number, digits to pad to."""


class HostlistError(ValueError):
    """Text that is no hostlist; the message names the part and its position, counted from 1."""


def expand(text: str, *, limit: int = EXPANSION_LIMIT) -> tuple[str, ...]:
    """Return the names that a hostlist stands for, in its own order.

    Args:
        text: the hostlist; empty text stands for no names.
        limit: most names that it may stand for.

    Raises:
        HostlistError: the text is not a hostlist, or stands for too many names.
    """
    if not text:
        return ()
    words = list(_words(text))
    count = sum(math.prod(_size(part) for part in word) for word in words)
    if count > limit:
        raise HostlistError(
            f"expand hostlist {_clip(text)!r}: stands for {count} names, the limit is {limit}"
        )
    return tuple(name for word in words for name in _names(word))


def checked(name: str) -> str:
    """Return a node's name.

    Raises:
        HostlistError: it holds a character that no node name has.
    """
    if LITERAL.fullmatch(name) is None:
        raise HostlistError(f"read names: {_clip(name)!r} is not a node name")
    return name


def fold(names: Iterable[str]) -> str:
    """Return a sorted hostlist of a set of names, with ranges in the last number of each name.

    Raises:
        HostlistError: a name holds a character that no node name has.
    """
    return fold_in_order(sorted(set(names), key=_by_number))


def fold_in_order(names: Iterable[str]) -> str:
    """Return a hostlist of names that keeps their order, and names that stand there twice.

    Raises:
        HostlistError: a name holds a character that no node name has.
    """
    words: list[tuple[tuple[str, str], list[tuple[str, str]]]] = []
    for name in names:
        before, digits, after = _parts(checked(name))
        goes_on = digits and words and words[-1][0] == (before, after) and words[-1][1][0][0]
        if not goes_on:
            words.append(((before, after), []))
        runs = words[-1][1]
        # The first number of a range says to how many digits all of it is padded.
        if runs and f"{int(runs[-1][1]) + 1:0{len(runs[-1][0])}d}" == digits:
            runs[-1] = (runs[-1][0], digits)
        else:
            runs.append((digits, digits))
    return ",".join(f"{before}{_bracket(runs)}{after}" for (before, after), runs in words)


def _parts(name: str) -> tuple[str, str, str]:
    match = _NUMBERED.fullmatch(name)
    return (match["before"], match["digits"], match["after"]) if match else (name, "", "")


def _by_number(name: str) -> tuple[str, str, int, str]:
    before, digits, after = _parts(name)
    return before, after, len(digits), digits


def _bracket(runs: list[tuple[str, str]]) -> str:
    if len(runs) == 1 and runs[0][0] == runs[0][1]:
        return runs[0][0]
    return f"[{','.join(low if low == high else f'{low}-{high}' for low, high in runs)}]"


def _words(text: str) -> Iterator[list[str | list[_Range]]]:
    """Yield per comma-separated word its parts: literal text, or the ranges of a bracket."""
    at = 0
    while True:
        parts: list[str | list[_Range]] = []
        start = at
        while at < len(text) and text[at] != ",":
            if text[at] == "[":
                end = text.find("]", at)
                if end < 0:
                    raise _wrong(text, at, text[at:], "the bracket is not closed")
                parts.append(list(_ranges(text, at + 1, end)))
                at = end + 1
            else:
                match = LITERAL.match(text, at)
                if match is None:
                    raise _wrong(text, at, text[at], "not a character of a node name")
                parts.append(match[0])
                at = match.end()
        if not parts:
            raise _wrong(text, start, text[start : start + 1], "a name is missing")
        yield parts
        if at == len(text):
            return
        at += 1


def _ranges(text: str, start: int, end: int) -> Iterator[_Range]:
    at = start
    for piece in text[start:end].split(","):
        match = _RANGE.fullmatch(piece)
        if match is None:
            raise _wrong(text, at, piece, "not a number or a range")
        low = int(match["low"])
        high = low if match["high"] is None else int(match["high"])
        if high < low:
            raise _wrong(text, at, piece, "the range runs backwards")
        yield low, high, len(match["low"])
        at += len(piece) + 1


def _size(part: str | list[_Range]) -> int:
    return 1 if isinstance(part, str) else sum(high - low + 1 for low, high, _ in part)


def _names(parts: list[str | list[_Range]]) -> Iterator[str]:
    columns = [
        [part]
        if isinstance(part, str)
        else [f"{number:0{width}d}" for low, high, width in part for number in range(low, high + 1)]
        for part in parts
    ]
    return ("".join(row) for row in itertools.product(*columns))


def _wrong(text: str, at: int, part: str, why: str) -> HostlistError:
    return HostlistError(
        f"read hostlist {_clip(text)!r}: {part[:40]!r} at position {at + 1}: {why}"
    )


def _clip(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _MESSAGE_LIMIT else flat[: _MESSAGE_LIMIT - 1] + "…"
