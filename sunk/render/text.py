"""What may stand in a value of a configuration file, so that it can never leave its own key.

Slurm's files are lines of ``Key=Value``; a value ends at white space unless it is in double
quotes, ``#`` starts a comment even inside quotes, and a backslash at the end joins lines. Nothing
escapes these, so text that holds them is refused.
"""

from __future__ import annotations

import re

from sunk.errors import InputError, clip

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_FORBIDDEN = frozenset("\"#\\'`")
VALUE_ALLOWED = "printable ASCII without quotes, # or backslash, no space at either end"


def has_control(text: str) -> bool:
    """Return whether text holds a newline, another control character or half a surrogate pair."""
    return _CONTROL.search(text) is not None


def is_conf_value(text: str) -> bool:
    """Return whether text can be the value of one key in Slurm's files."""
    return _VALUE.fullmatch(text) is not None and _FORBIDDEN.isdisjoint(text)


def conf_pair(key: str, value: str) -> str:
    """Return ``Key=Value``, in double quotes when the value holds spaces.

    Args:
        key: a name of our own or one checked against the list of Slurm's keys.
        value: text from a description.

    Raises:
        InputError: the value cannot be written without leaving its key.
    """
    if not is_conf_value(value):
        raise InputError(
            f"write {key} for Slurm: value {clip(value, 60)!r} cannot be written safely",
            hint=f"allowed: {VALUE_ALLOWED}",
        )
    return f'{key}="{value}"' if " " in value else f"{key}={value}"
