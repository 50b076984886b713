"""The record of ``sunk fabric collect``: what came of every host."""

from __future__ import annotations

from sunk_fabric.collection import Collection
from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed

_NOTHING = Collection(collector="", began="", ended="")


def parse(content: Content) -> Parsed[Collection]:
    """Return the record."""
    return json_text.decode(content, Collection, _NOTHING)
