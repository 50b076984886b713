"""How classes of the description look in a file: camelCase keys, unknown ones refused."""

from __future__ import annotations

from typing import Any


def camel(name: str) -> str:
    """Return the key in the file for a field of the model."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


FILE_FORM: dict[str, Any] = {"extra": "forbid", "alias_generator": camel, "strict": True}
"""How `sunk.render.description` reads the classes of the description."""
