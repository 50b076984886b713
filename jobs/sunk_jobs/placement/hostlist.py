"""Expanding hostlists, Slurm's folded node names: ``gpu-[01-03,7]``, ``r[1-2]n[01-10]``.

Follows ``scontrol show hostnames``: the order of the text is kept, and so are repeated names.
Stricter than Slurm in one way: empty parts, blanks and single brackets are errors. Standard
library only, because a job may have to do it where Slurm's commands are missing.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator

EXPANSION_LIMIT = 65536
"""Names that one text may stand for; Slurm's own limit (MAX_RANGE) is of this size."""

LITERAL = re.compile(r"[A-Za-z0-9._-]+")
"""What stands outside of brackets."""
_RANGE = re.compile(r"(?P<low>[0-9]{1,18})(?:-(?P<high>[0-9]{1,18}))?")
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
