"""Which ranks go to which node: planned, written down, read again; pure.

The map is what `sunk`, the job's script and the ranks themselves agree on. It is JSON, so that a
script can look a node up, and becomes a hostfile for ``srun --distribution=arbitrary``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sunk_jobs.placement.ordering import Group, depth_first

KIND = "rankMap"
VERSION = 1


class RankMapError(ValueError):
    """A map that cannot be made or is none; the message says why."""


@dataclass(frozen=True)
class NodeRanks:
    """The ranks of one node: `ranks` of them, from `first_rank` on."""

    node: str
    first_rank: int
    ranks: int


@dataclass(frozen=True)
class RankMap:
    """Ranks of a job, node by node.

    Attributes:
        nodes: in the order of their ranks; a node's place here is its node rank.
        unknown: nodes that the topology does not have. They stand at the end of `nodes`, in
            natural order of their names.
        outside: nodes that no whole segment had room for. They stand behind all whole segments
            and before the unknown ones. Empty without segments.
    """

    nodes: tuple[NodeRanks, ...]
    unknown: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return sum(one.ranks for one in self.nodes)

    def order(self) -> list[str]:
        """Return the nodes in the order of their ranks."""
        return [one.node for one in self.nodes]

    def node_rank(self, node: str) -> int | None:
        """Return the place of a node, from 0; None when it is not in the map."""
        return next((at for at, one in enumerate(self.nodes) if one.node == node), None)

    def hosts(self) -> list[str]:
        """Return each rank's node, in the order of the ranks."""
        return [one.node for one in self.nodes for _ in range(one.ranks)]

    def hostfile(self) -> str:
        """Return a SLURM_HOSTFILE for ``srun --distribution=arbitrary``: a line for each rank."""
        return "".join(f"{host}\n" for host in self.hosts())


def plan_map(
    groups: Iterable[Group],
    nodes: Sequence[str],
    ranks_per_node: int | Mapping[str, int],
    segment_nodes: int | None = None,
) -> RankMap:
    """Return the map that keeps neighbours close.

    Args:
        groups: the largest places, with the names that the job's nodes have.
        nodes: the job's nodes, in any order, each once.
        ranks_per_node: one number for all, or one for each node.
        segment_nodes: nodes of a segment, as in ``sbatch --segment``: each run of so many nodes in
            rank order stays in one smallest place.

    Raises:
        RankMapError: a node stands twice or has no number of ranks, or a number is below 1.
    """
    if twice := [node for node, count in Counter(nodes).items() if count > 1]:
        raise RankMapError(f"node {twice[0]} stands in the job's list twice")
    if segment_nodes is not None and segment_nodes < 1:
        raise RankMapError(f"a segment of {segment_nodes} nodes: wanted 1 or more")
    tops = list(groups)
    order, unknown = depth_first(tops, nodes)
    outside: list[str] = []
    if segment_nodes is not None:
        order, outside = _segments(tops, order, segment_nodes)
    placed, first = [], 0
    for node in (*order, *outside, *unknown):
        count = ranks_per_node if isinstance(ranks_per_node, int) else ranks_per_node.get(node, 0)
        if count < 1:
            raise RankMapError(f"node {node} gets {count} ranks: wanted 1 or more")
        placed.append(NodeRanks(node, first, count))
        first += count
    return RankMap(tuple(placed), tuple(unknown), tuple(outside))


def _segments(
    groups: Iterable[Group], order: Sequence[str], size: int
) -> tuple[list[str], list[str]]:
    """Return nodes in whole segments, and those that are left; both in depth-first order."""
    place = {
        node: (group.kind, group.name)
        for top in groups
        for group in top.walk()
        for node in group.nodes
    }
    together: dict[tuple[str, str], list[str]] = {}
    for node in order:
        together.setdefault(place[node], []).append(node)
    whole: list[str] = []
    left: list[str] = []
    for members in together.values():
        cut = len(members) - len(members) % size
        whole += members[:cut]
        left += members[cut:]
    return whole, left


def dump_map(ranks: RankMap) -> str:
    """Return a map as JSON; the same map gives the same bytes."""
    raw = {
        "kind": KIND,
        "version": VERSION,
        "nodes": [
            {"node": one.node, "firstRank": one.first_rank, "ranks": one.ranks}
            for one in ranks.nodes
        ],
        "unknown": list(ranks.unknown),
        "outside": list(ranks.outside),
    }
    return json.dumps(raw, indent=1) + "\n"


def load_map(text: str) -> RankMap:
    """Return the map in a text.

    Raises:
        RankMapError: it is no map of this version, or its ranks do not follow each other.
    """
    try:
        raw = json.loads(text)
    except ValueError as exc:
        raise RankMapError(f"not JSON: {exc}") from exc
    if not isinstance(raw, dict) or raw.get("kind") != KIND:
        raise RankMapError(f"not a map of ranks: its kind is not {KIND}")
    if raw.get("version") != VERSION:
        raise RankMapError(f"version {raw.get('version')!r}: this program reads {VERSION}")
    nodes = tuple(_node(at, item) for at, item in enumerate(_list(raw, "nodes")))
    expected = 0
    for one in nodes:
        if one.first_rank != expected:
            raise RankMapError(f"node {one.node} begins with {one.first_rank}, not {expected}")
        expected += one.ranks
    names = {one.node for one in nodes}
    if len(names) != len(nodes):
        raise RankMapError("a node stands there twice")
    return RankMap(nodes, _names(raw, "unknown", names), _names(raw, "outside", names))


def _list(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key)
    if not isinstance(value, list):
        raise RankMapError(f"{key}: not a list")
    return value


def _node(at: int, item: object) -> NodeRanks:
    if not isinstance(item, dict):
        raise RankMapError(f"nodes[{at}]: not a mapping")
    node, first, ranks = (item.get(key) for key in ("node", "firstRank", "ranks"))
    if not isinstance(node, str) or not node:
        raise RankMapError(f"nodes[{at}].node: not a name")
    if not isinstance(first, int) or not isinstance(ranks, int) or ranks < 1:
        raise RankMapError(f"nodes[{at}]: firstRank and ranks are not numbers of ranks")
    return NodeRanks(node, first, ranks)


def _names(raw: Mapping[str, Any], key: str, known: Set[str]) -> tuple[str, ...]:
    names = _list(raw, key)
    if wrong := [name for name in names if not isinstance(name, str) or name not in known]:
        raise RankMapError(f"{key}: {wrong[0]!r} is none of the nodes")
    return tuple(names)
