"""What an attempt's failure says about nodes: which to keep off, which to drain; pure.

A broken GPU is a node's own. A failure of the fabric may be the leaf switch's: when it hit two
nodes of one leaf, all nodes there are kept off. Draining is an operator's business: it is only
recommended, as a command.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sunk_jobs.placement.hostlist import LITERAL
from sunk_jobs.placement.ordering import groups_of, natural
from sunk_jobs.placement.slurm_topology import TopologyTextError, read

LEAF_NODES_MAX = 1024
"""Larger ones are no leaf switch, and their names no longer fit on a command line."""
TEXT_LIMIT = 80
"""Characters of a failure's words that go into the reason of a drain."""


def leaf_of(topology: str, node: str) -> tuple[str, tuple[str, ...]]:
    """Return the leaf switch or block of a node, and all nodes on it; nothing when not known.

    The only leaf of a cluster is none to be kept off: there would be no nodes left.

    Args:
        topology: what ``scontrol show topology`` printed.
        node: Slurm's name of the node.
    """
    try:
        groups = groups_of(read(topology))
    except TopologyTextError:
        return "", ()
    leaves = [one for largest in groups for one in largest.walk() if one.nodes]
    found = next((one for one in leaves if node in one.nodes), None)
    if found is None or len(leaves) < 2 or len(found.nodes) > LEAF_NODES_MAX:
        return "", ()
    return found.name, tuple(sorted(found.nodes, key=natural))


def shared_leaf(node: str, others: Sequence[str], leaf: Sequence[str]) -> tuple[str, ...]:
    """Return the nodes of a leaf when a failure of its kind hit another node of it before.

    Args:
        node: where it failed now.
        others: where it failed before.
        leaf: the nodes on the leaf of the first.
    """
    also = any(one != node and one in leaf for one in others)
    plain = all(LITERAL.fullmatch(one) for one in leaf)
    return tuple(leaf) if also and plain else ()


def drain_command(node: str, words: str) -> str:
    """Return what an operator can paste to drain a node.

    Args:
        node: a plain name.
        words: what failed there; goes into the reason in characters that no shell takes.
    """
    plain = " ".join("".join(one if " " < one <= "~" else " " for one in words).split())
    short = plain.replace("'", "").replace('"', "").replace("\\", "")[:TEXT_LIMIT].strip()
    return f"scontrol update NodeName={node} State=DRAIN Reason={shlex.quote(f'sunk: {short}')}"
