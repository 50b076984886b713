"""``srun python3 -m sunk_jobs.probe say``: where each node of a job is, by its own environment."""

from __future__ import annotations

import re

from sunk_fabric.parse.text import Content, Parsed, Reader
from sunk_jobs.probe import Place

_LINE = re.compile(
    r"(\d{1,8}) (\d{1,8}) ([A-Za-z0-9._-]{1,255}) ([0-9A-Fa-f:.]{1,64}) (\S{1,2000})"
)


def parse(content: Content) -> Parsed[tuple[Place, ...]]:
    """Return the places in the order of the text; a node that stands twice is damage."""
    reader = Reader(content)
    found: dict[str, Place] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if match and match[3] in found:
            reader.damaged(f"{match[3]} stands in it twice")
        elif match:
            rank, number, node, address, topology = match.groups()
            found[node] = Place(int(rank), int(number), node, address, topology)
        elif line.strip():
            reader.unknown(line)
    if not found:
        reader.damaged("no node is told of")
    return reader.outcome(tuple(found.values()))
