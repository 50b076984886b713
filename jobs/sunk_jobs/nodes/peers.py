"""Which nodes are not as most of them are: what is right nobody knows, but who differs; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Odd:
    """Nodes that have another value than most, in the order in which they were given."""

    value: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """One thing, compared between nodes.

    Attributes:
        usual: the value that most nodes have; of several, that of the first node.
        share: of the nodes that have it, above 0, at most 1.
        odd: the others, by value.
    """

    usual: str
    share: float
    odd: tuple[Odd, ...]


def compare(values: Mapping[str, str]) -> Comparison | None:
    """Compare one thing between nodes; None without nodes.

    Args:
        values: of each node that knows its own; a node that does not know is left out.
    """
    if not values:
        return None
    groups: dict[str, list[str]] = {}
    for node, value in values.items():
        groups.setdefault(value, []).append(node)
    usual = max(groups, key=lambda value: len(groups[value]))  # the first of several
    odd = tuple(Odd(value, tuple(groups[value])) for value in sorted(groups) if value != usual)
    return Comparison(usual, len(groups[usual]) / len(values), odd)
