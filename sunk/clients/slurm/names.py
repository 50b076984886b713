"""Checks of names and reasons that every Slurm client makes before it asks."""

from __future__ import annotations

import re

from sunk.errors import InputError, clip

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,255}")


def checked_name(name: str, noun: str) -> str:
    """Return a name of a node, user or account that is safe in a path.

    Slurm itself would take "a,b" for two nodes, and makes an account "A b" without a word.

    Raises:
        InputError: it is not such a name.
    """
    if _NAME.fullmatch(name) is None:
        raise InputError(
            f"read {noun} name {clip(name)!r}: it may hold letters, digits, dot, dash and "
            "underscore, and starts with a letter or digit"
        )
    return name


def checked_reason(text: str, what: str) -> str:
    """Return the reason of a drain or down state; slurmrestd would take none, people need one.

    Raises:
        InputError: it is empty.
    """
    if not text.strip():
        raise InputError(f"{what}: the reason is empty", hint="say who wants it and why")
    return text
