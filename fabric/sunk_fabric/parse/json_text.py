"""JSON that a tool printed, decoded into types; anything else is damage."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from sunk_fabric.parse.text import Content, Parsed, printable

T = TypeVar("T")
SIZE_LIMIT_BYTES = 256 * 2**20
_LONG = re.compile(rb"\d{40}")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def decode(content: Content, form: type[T], empty: T) -> Parsed[T]:
    """Return what the JSON says, or `empty` with the damage.

    Args:
        content: the text; JSON is read whole.
        form: the type it must have; keys that it lacks are ignored, as tools add keys.
        empty: the value when there is none to have.
    """
    whole = content if isinstance(content, bytes) else b"".join(content)
    lines = whole.count(b"\n") + bool(whole and not whole.endswith(b"\n"))
    if len(whole) > SIZE_LIMIT_BYTES:
        return _outcome(empty, lines, f"{len(whole)} bytes are more than such an output can have")
    if not whole.strip():
        return _outcome(empty, lines, "the output is empty")
    if _has_long_number(whole):
        return _outcome(empty, lines, "not the JSON of this tool: a number of 40 digits or more")
    try:
        return _outcome(msgspec.json.decode(whole, type=form), lines)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError) as exc:
        return _outcome(empty, lines, f"not the JSON of this tool: {printable(str(exc))}")


def checked(content: Content, form: type[T], empty: T, wrong: Callable[[T], str]) -> Parsed[T]:
    """Return what the JSON says if it makes sense, or `empty` with the damage.

    Args:
        content: as `decode` has it.
        form: as `decode` has it.
        empty: as `decode` has it.
        wrong: says what makes no sense about a value of the right form; nothing when all does.
    """
    parsed = decode(content, form, empty)
    damage = wrong(parsed.value) if parsed.sound else ""
    return _outcome(empty, parsed.lines, damage) if damage else parsed


def _has_long_number(whole: bytes) -> bool:
    """Return whether a number stands there that counts nothing and that no float holds."""
    # Strings may well have so many digits; they are looked for only where there is something.
    return _LONG.search(whole) is not None and _LONG.search(_STRING.sub(b"", whole)) is not None


def _outcome(value: T, lines: int, *damage: str) -> Parsed[T]:
    return Parsed(value=value, lines=lines, unknown=0, quoted=(), damage=damage)
