"""Hostlists, Slurm's folded node names: ``gpu-[01-03,7]``, ``r[1-2]n[01-10]``.

Expanding is that of the job programs, `sunk_jobs.placement.hostlist`: on a compute node and here,
one text means one list. It is not ClusterShell's, because that sorts, drops repeats and refuses
``a[09-100]``, which Slurm writes and reads. Folding is ClusterShell's, whose output Slurm reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet

from sunk.errors import InputError, clip
from sunk_jobs.placement import hostlist
from sunk_jobs.placement.hostlist import EXPANSION_LIMIT


def expand(text: str, *, limit: int = EXPANSION_LIMIT) -> tuple[str, ...]:
    """Return the names that a hostlist stands for, in its own order.

    Args:
        text: the hostlist; empty text stands for no names.
        limit: most names that it may stand for.

    Raises:
        InputError: the text is not a hostlist (names the part and its position, counted from 1),
            or stands for too many names.
    """
    try:
        return hostlist.expand(text, limit=limit)
    except hostlist.HostlistError as exc:
        raise InputError(str(exc), hint="write it like gpu-[01-03,7] or r[1-2]n[01-10]") from exc


def fold(names: Iterable[str]) -> str:
    """Return the shortest sorted hostlist of a set of names; repeated names count once.

    Raises:
        InputError: a name holds a character that no node name has.
    """
    checked = []
    for name in names:
        if hostlist.LITERAL.fullmatch(name) is None:
            raise InputError(
                f"fold names: {clip(name)!r} is not a node name",
                hint="node names hold letters, digits, dot, dash and underscore",
            )
        checked.append(name)
    if not checked:
        return ""
    return str(NodeSet.fromlist(sorted(set(checked)), resolver=RESOLVER_NOGROUP))


def folded(names: Iterable[str]) -> str:
    """Return names as a hostlist for people; those that no hostlist holds stand one by one."""
    every = sorted(set(names))
    try:
        return fold(every)
    except InputError:
        return " ".join(every)
