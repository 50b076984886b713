"""ibdiagnet2.sharp: aggregation trees of SHARP, as ``ibdiagnet --sharp`` writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, guid


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One aggregation node in a tree.

    Attributes:
        depth: 0 for the root.
        guid: of its port.
        lid: of its port.
        radix: how many aggregation nodes hang below it.
    """

    depth: int
    guid: str
    lid: int
    radix: int


@dataclass(frozen=True, slots=True)
class AggregationTree:
    """One tree.

    Attributes:
        id: its number; not unique where trees are made as jobs come.
        nodes: in the order of the text: every node before those below it.
    """

    id: int
    nodes: tuple[TreeNode, ...]


_TREE = re.compile(r"TreeID:(\d{1,5}), Max Radix:\d{1,5}\s*")
_NODE = re.compile(
    r"\s*\((\d{1,3})\), AN:.{0,100}?, lid:(\d{1,5}), port guid:0x([0-9a-fA-F]{1,16}),"
    r" Child index:\d{1,5}, parent QPn:0x[0-9a-fA-F]{1,8}, remote parent QPn:0x[0-9a-fA-F]{1,8},"
    r" radix:(\d{1,5})\s*"
)


def parse(content: Content) -> Parsed[tuple[AggregationTree, ...]]:
    """Return the trees; one with fewer nodes than its radixes promise is damage."""
    reader = Reader(content)
    trees: list[tuple[int, list[TreeNode]]] = []
    blank = True
    for line in reader:
        blank = blank and not line.strip()
        tree, node = _TREE.fullmatch(line), _NODE.fullmatch(line)
        if tree:
            trees.append((int(tree[1]), []))
        elif node and trees:
            depth, lid, name, radix = node.groups()
            trees[-1][1].append(TreeNode(int(depth), guid(name), int(lid), int(radix)))
        elif line.strip() and not line.startswith("#"):
            reader.unknown(line)
    if reader.number and blank:
        reader.damaged("there is nothing but blank lines")
    found = tuple(AggregationTree(number, tuple(nodes)) for number, nodes in trees)
    for one in found:
        wrong = _broken(one)
        if wrong:
            reader.damaged(f"the tree {one.id} {wrong}")
    return reader.outcome(found)


def _broken(tree: AggregationTree) -> str:
    """Return what contradicts itself: one root, and as many below each node as it says."""
    if [one.depth for one in tree.nodes[:1]] != [0]:
        return "does not begin with its root"
    way: list[int] = []
    for one in tree.nodes:
        if one.depth > len(way) or (one.depth == 0 and way):
            return f"has the node {one.guid} at no place"
        if any(way[one.depth :]):
            return "has fewer nodes than it says"
        way = way[: one.depth]
        if way:
            way[-1] -= 1
            if way[-1] < 0:
                return "has more nodes than it says"
        way.append(one.radix)
    return "has fewer nodes than it says" if any(way) else ""
