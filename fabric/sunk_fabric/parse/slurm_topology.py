"""scontrol show topology: the switches and blocks by which Slurm places jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.hostlist import expand
from sunk_fabric.parse.text import Content, Parsed, Reader

LINE_LIMIT = 65_536
NODES_LIMIT = 100_000
_SWITCH = re.compile(r"SwitchName=(\S{1,64}) Level=(\d{1,2}) LinkSpeed=\d{1,6}(.*)")
_BLOCK = re.compile(r"BlockName=(\S{1,64}) BlockIndex=\d{1,6}(.*)|AggregatedBlock=(\S{1,200})(.*)")
_NODES = re.compile(r" Nodes=(\S{1,60000})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmSwitch:
    """One switch or block.

    Attributes:
        name: in Slurm.
        level: 0 for leaves and blocks.
        nodes: below it, in their order.
    """

    name: str
    level: int
    nodes: tuple[str, ...] = ()


def parse(content: Content) -> Parsed[tuple[SlurmSwitch, ...]]:
    """Return switches and blocks in the order of the text; a broken list of nodes is damage."""
    reader = Reader(content, line_limit=LINE_LIMIT)
    found = []
    for line in reader:
        switch, block = _SWITCH.fullmatch(line), _BLOCK.fullmatch(line)
        if switch:
            found.append(_made(reader, switch[1], int(switch[2]), switch[3]))
        elif block and block[1]:
            found.append(_made(reader, block[1], 0, block[2]))
        elif not block:
            reader.unknown(line)
    return reader.outcome(tuple(found))


def _made(reader: Reader, name: str, level: int, rest: str) -> SlurmSwitch:
    listed = _NODES.search(rest)
    nodes: tuple[str, ...] = ()
    if listed:
        try:
            nodes = tuple(expand(listed[1], limit=NODES_LIMIT))
        except InputError as exc:
            reader.damaged(f"line {reader.number}: {exc.message}"[:300])
    return SlurmSwitch(name=name, level=level, nodes=nodes)
