"""Slurm's own topology texts: ``topology.conf`` and what ``scontrol show topology`` prints.

Both are lines of ``Key=Value``. Switches make trees (topology/tree), blocks stand side by side
(topology/block). A switch above others lists all nodes below it in scontrol's form, and none in
topology.conf; both are read. ``LinkSpeed`` is left out: Slurm documents it as unused, so it
measures nothing. Standard library only, so that a job can do it on a compute node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sunk_jobs.placement.hostlist import HostlistError, expand

LEVELS_MAX = 16
"""Most levels of switches; networks have two to five."""
_EMPTY = ("", "(null)")


class TopologyTextError(ValueError):
    """Text that is no topology of Slurm; the message begins with the line's number."""


@dataclass(frozen=True)
class Switch:
    """One switch.

    Attributes:
        name: SwitchName.
        level: 0 for a switch with nodes, 1 above those, and so on.
        nodes: at level 0 the nodes on it, in the text's order; empty above.
        switches: the switches below it, in the text's order; empty at level 0.
    """

    name: str
    level: int
    nodes: tuple[str, ...]
    switches: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """One block: nodes that are close together."""

    name: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class SlurmTopology:
    """What a text says.

    Attributes:
        switches: in the text's order.
        blocks: in the text's order; aggregated ones are left out, as they follow from the sizes.
        block_sizes: sizes that jobs are planned in, in nodes, ascending.
    """

    switches: tuple[Switch, ...] = ()
    blocks: tuple[Block, ...] = ()
    block_sizes: tuple[int, ...] = ()


def read(text: str) -> SlurmTopology:
    """Return what a text of Slurm says about the topology.

    Raises:
        TopologyTextError: a line is not understood, a name stands twice, a switch has no
            definition, switches go in a circle, or a node is on two switches.
    """
    switches: dict[str, _Raw] = {}
    blocks: dict[str, Block] = {}
    sizes: set[int] = set()
    for number, line in _lines(text):
        pairs = _pairs(number, line)
        if "switchname" in pairs:
            for name in _names(number, pairs["switchname"]):
                _once(number, name, switches)
                switches[name] = _Raw(
                    number,
                    _names(number, pairs.get("nodes", "")),
                    _names(number, pairs.get("switches", "")),
                )
        elif "blockname" in pairs:
            _once(number, pairs["blockname"], blocks)
            nodes = _names(number, pairs.get("nodes", ""))
            blocks[pairs["blockname"]] = Block(pairs["blockname"], nodes)
            sizes |= _sizes(number, pairs.get("blocksize", ""))
        elif "aggregatedblock" in pairs:
            sizes |= _sizes(number, pairs.get("blocksize", ""))
        elif "blocksizes" in pairs:
            sizes |= _sizes(number, pairs["blocksizes"])
        else:
            raise TopologyTextError(f"line {number}: {line[:60]!r} names no switch and no block")
    _no_node_twice(blocks)
    return SlurmTopology(
        switches=tuple(_finished(switches)),
        blocks=tuple(blocks.values()),
        block_sizes=tuple(sorted(sizes)),
    )


@dataclass(frozen=True)
class _Raw:
    """A switch's line, before it is known what is below it."""

    line: int
    nodes: tuple[str, ...]
    switches: tuple[str, ...]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line with its number: comments gone, continued lines joined."""
    held, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        first = first or number
        held = f"{held} {line}".strip()
        if held.endswith("\\"):
            held = held[:-1].rstrip()
            continue
        if held:
            yield first, held
        held, first = "", 0
    if held:
        yield first, held


def _pairs(number: int, line: str) -> dict[str, str]:
    """Return the pairs of a line; keys in lower case, as Slurm reads them."""
    found: dict[str, str] = {}
    for word in line.split():
        key, equals, value = word.partition("=")
        if not equals:
            raise TopologyTextError(f"line {number}: {word[:60]!r} is not Key=Value")
        found[key.lower()] = value.strip('"')
    return found


def _names(number: int, text: str) -> tuple[str, ...]:
    if text in _EMPTY:
        return ()
    try:
        return expand(text)
    except HostlistError as exc:
        raise TopologyTextError(f"line {number}: {exc}") from exc


def _sizes(number: int, text: str) -> set[int]:
    words = [word for word in text.split(",") if word]
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise TopologyTextError(f"line {number}: block size {text[:60]!r} is no number above 0")
    return {int(word) for word in words}


def _once(number: int, name: str, known: Mapping[str, object]) -> None:
    if name in known:
        raise TopologyTextError(f"line {number}: {name} is described twice")


def _finished(switches: Mapping[str, _Raw]) -> Iterator[Switch]:
    """Yield the switches with their levels; nodes only where there is no switch below."""
    parents = _parents(switches)
    levels = _levels(switches, parents)
    owner: dict[str, str] = {}
    for name, raw in switches.items():
        nodes = () if raw.switches else raw.nodes
        for node in nodes:
            if owner.setdefault(node, name) != name:
                raise TopologyTextError(
                    f"line {raw.line}: node {node} is on {owner[node]} and on {name}"
                )
        yield Switch(name, levels[name], nodes, raw.switches)


def _parents(switches: Mapping[str, _Raw]) -> dict[str, str]:
    parents: dict[str, str] = {}
    for name, raw in switches.items():
        for child in raw.switches:
            if child not in switches:
                raise TopologyTextError(f"line {raw.line}: there is no switch {child}")
            if parents.setdefault(child, name) != name:
                raise TopologyTextError(
                    f"line {raw.line}: switch {child} is below {parents[child]} and below {name}"
                )
    return parents


def _levels(switches: Mapping[str, _Raw], parents: Mapping[str, str]) -> dict[str, int]:
    """Return each switch's height above its lowest; from the bottom up, as depth is unbounded."""
    waiting = {name: len(raw.switches) for name, raw in switches.items()}
    levels = {name: 0 for name, count in waiting.items() if count == 0}
    ready = list(levels)
    for name in ready:
        parent = parents.get(name)
        if parent is None:
            continue
        levels[parent] = max(levels.get(parent, 0), levels[name] + 1)
        waiting[parent] -= 1
        if waiting[parent] == 0:
            ready.append(parent)
    if circle := sorted(name for name, count in waiting.items() if count > 0):
        line = switches[circle[0]].line
        raise TopologyTextError(f"line {line}: switches go in a circle: {', '.join(circle[:8])}")
    if (height := max(levels.values(), default=0)) >= LEVELS_MAX:
        raise TopologyTextError(f"{height + 1} levels of switches, the limit is {LEVELS_MAX}")
    return levels


def _no_node_twice(blocks: Mapping[str, Block]) -> None:
    owner: dict[str, str] = {}
    for block in blocks.values():
        for node in block.nodes:
            if owner.setdefault(node, block.name) != block.name:
                raise TopologyTextError(
                    f"block {block.name}: node {node} is in {owner[node]} as well"
                )
