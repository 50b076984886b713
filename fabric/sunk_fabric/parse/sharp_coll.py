"""SHARP's library in a program: what it printed with ``SHARP_COLL_LOG_LEVEL=3``, among all else.

A job gets trees from the aggregation manager; each communicator that reduces in the network is a
group of that job.
"""

from __future__ import annotations

from sunk_fabric.parse.sharp_lines import SharpLog, SharpSaid
from sunk_fabric.parse.text import Content, Parsed, Reader

LINE_LIMIT = 65_536
"""Characters: lines of the program stand between."""


def parse(content: Content) -> Parsed[SharpLog]:
    """Return what the library said; a text without one line of its own is damage."""
    reader = Reader(content, line_limit=LINE_LIMIT)
    said = SharpSaid()
    for line in reader:
        said.take(line)
    if not said.hosts:
        reader.damaged("no line of SHARP's: SHARP_COLL_LOG_LEVEL was not 3")
    return reader.outcome(said.log())
