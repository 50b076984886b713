"""Words for faults of a description: where they are, and what is allowed there; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sunk.errors import clip


def allowed_instead(error: Mapping[str, Any]) -> str:
    """Return what may stand where pydantic found a fault."""
    kind = error["type"]
    if kind == "unexpected_keyword_argument":
        return "no such key; see the reference of the description"
    if kind == "string_type" and not isinstance(error["input"], str | dict | list | None):
        return f'text; write it in quotes: "{clip(str(error["input"]), 40)}"'
    return clip(str(error["msg"]), 120)


def spell(path: tuple[str | int, ...]) -> str:
    """Return a path of keys as people write it: ``partitions[0].nodeSets``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{clip(part, 60)}" if text else clip(part, 60)
    return text
