"""The jinja2 environment of every generated script: strict, and quoting by filter.

Templates may loop and branch on booleans; everything else is decided in Python before. A value
reaches the shell only through ``sh`` and an ``#SBATCH`` line only through ``directive``.
"""

from __future__ import annotations

import re
import shlex
from functools import cache

import jinja2

from sunk.errors import InputError, clip
from sunk.resources import data_folder

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@cache
def environment() -> jinja2.Environment:
    """Return the environment over the shipped templates."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_folder("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - shell, not HTML; see the filters
    )
    made.filters["sh"] = sh
    made.filters["directive"] = directive
    return made


def sh(value: object) -> str:
    """Return a value as one word for the shell.

    Raises:
        InputError: it holds a NUL, which no shell word can.
    """
    text = str(value)
    if "\0" in text:
        raise InputError(f"quote {clip(repr(text), 60)} for the shell: it holds a NUL byte")
    return shlex.quote(text)


def directive(value: object) -> str:
    """Return a value as it may stand after ``--option=`` on an ``#SBATCH`` line.

    sbatch reads these lines itself: quotes group, ``#`` after a blank starts a comment, and no
    escape leads out of a line; so control characters and quotes are refused.

    Raises:
        InputError: the value cannot stand there.
    """
    text = str(value)
    if not text or _CONTROL.search(text) or '"' in text or "\\" in text or "'" in text:
        raise InputError(
            f"write {clip(repr(text), 60)} on an #SBATCH line: not possible",
            hint="no quotes, backslashes, newlines or other control characters, and not empty",
        )
    return text if _PLAIN.fullmatch(text) else f'"{text}"'
