"""Whether the nodes of a job are alike; pure.

Ranks wait for each other, so that one node on another network, with a rail less or with smaller
packets, makes all of them slow, or keeps them from starting at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sunk_jobs.fabric_env.evidence import Evidence

_NAMED = 8
"""Nodes of a group that are named; a group can be thousands."""


@dataclass(frozen=True)
class Difference:
    """A field in which nodes differ.

    Attributes:
        field: of `Evidence`, or ``evidence`` where a node has none.
        grave: whether a job should not start so.
        groups: value -> nodes that have it, the largest group first.
    """

    field: str
    grave: bool
    groups: Mapping[str, tuple[str, ...]]

    def words(self) -> str:
        """Return it as one clause that names the field, the values and the nodes."""
        parts = [f"{value} on {_names(nodes)}" for value, nodes in self.groups.items()]
        return f"{self.field}: {'; '.join(parts)}"


@dataclass(frozen=True)
class Field:
    """A field to compare.

    Attributes:
        name: of `Evidence`.
        grave: whether a difference is a reason not to start.
        only_rdma: whether it matters only where there is RDMA.
    """

    name: str
    grave: bool
    only_rdma: bool = False


FIELDS = (
    Field("fabric", grave=True),
    Field("rails", grave=True),
    Field("rate_gbps", grave=True),
    Field("mtu_bytes", grave=True),
    Field("gids", grave=True, only_rdma=True),
    Field("memlock_bytes", grave=True, only_rdma=True),
    Field("vfs", grave=False),
    Field("drivers", grave=False),
    Field("gpus", grave=False),
    Field("gpu_direct", grave=False),
    Field("mnnvl", grave=False),
)
"""A wrong rate, packet size or address makes ranks hang or crawl; a driver may well differ."""


def differences(
    found: Sequence[Evidence], wanted: Sequence[str] = (), damaged: Mapping[str, str] | None = None
) -> tuple[Difference, ...]:
    """Return what differs between nodes, grave things first.

    A value that a node could not find out is ``not known``: it differs, and is never grave.

    Args:
        found: evidence of each node.
        wanted: nodes that should have some.
        damaged: file -> why there is none in it.
    """
    differing = [*_missing(found, wanted), *_damaged(damaged or {}), *_differing(found)]
    return tuple(sorted(differing, key=lambda one: not one.grave))


def _missing(found: Sequence[Evidence], wanted: Sequence[str]) -> Iterator[Difference]:
    known = {one.node for one in found}
    lost = tuple(one for one in wanted if one not in known)
    if lost:
        yield Difference("evidence", grave=True, groups={"none": lost})


def _damaged(damaged: Mapping[str, str]) -> Iterator[Difference]:
    for file, why in sorted(damaged.items()):
        yield Difference("evidence", grave=True, groups={why: (file,)})


def _differing(found: Sequence[Evidence]) -> Iterator[Difference]:
    rdma = any(one.fabric != "tcp" for one in found)
    for one in FIELDS:
        groups = _groups(found, lambda node, name=one.name: _value(node, name))
        if len(groups) > 1 and (rdma or not one.only_rdma):
            known = [value for value in groups if value != _NOT_KNOWN]
            yield Difference(one.name, grave=one.grave and len(known) > 1, groups=groups)


_NOT_KNOWN = "not known"


def _value(node: Evidence, name: str) -> str:
    value = getattr(node, name)
    if name == "memlock_bytes" and value == -1:
        return "no limit"
    if value is None or value == ():
        return _NOT_KNOWN
    if isinstance(value, tuple):
        return "+".join(str(one) for one in value)
    return value if isinstance(value, str) else json.dumps(value)


def _groups(
    found: Sequence[Evidence], value: Callable[[Evidence], str]
) -> dict[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for one in sorted(found, key=lambda node: node.node):
        groups.setdefault(value(one), []).append(one.node)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: tuple(nodes) for name, nodes in ordered}


def _names(nodes: Sequence[str]) -> str:
    rest = len(nodes) - _NAMED
    return ", ".join(nodes[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
