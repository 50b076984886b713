"""smpquery: attributes of one node or port, such as ``nodeinfo`` and ``portinfo``."""

from __future__ import annotations

import re

from sunk_fabric.parse.dotted import Record, records
from sunk_fabric.parse.text import Content, Parsed, Reader

_TITLE = re.compile(r"# ((?:Node|Port|Switch) info: .*)")


def parse(content: Content) -> Parsed[tuple[Record, ...]]:
    """Return the records of the text."""
    reader = Reader(content)
    return reader.outcome(records(reader, _TITLE))
