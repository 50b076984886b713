"""Hosts of several generations: what each kind can do, so that old is not taken for broken; pure.

A pair is as fast as its slower end, so that the best that a host ever does shows its kind. Hosts
that are alike and many are a kind; one or two that lag behind are suspects.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST_HOSTS = 3
LEAST_SHARE = 0.25
"""A kind has at least so many hosts, and this share of all. Proposal."""


def kinds(best: Mapping[str, float], gap: float) -> Mapping[str, float]:
    """Return host -> level of its kind, in the logarithms that were given.

    Args:
        best: host -> logarithm of the best rate that it took part in.
        gap: levels closer than this are one.
    """
    least = max(LEAST_HOSTS, LEAST_SHARE * len(best))
    groups: list[list[str]] = []
    for host in sorted(best, key=lambda one: (-best[one], one)):
        if groups and best[groups[-1][-1]] - best[host] <= gap:
            groups[-1].append(host)
        else:
            groups.append([host])
    found: dict[str, float] = {}
    level: float | None = None
    waiting: list[str] = []
    for group in groups:
        if len(group) >= least:
            level = best[group[len(group) // 2]]
            found |= dict.fromkeys(waiting, level)
            waiting = []
        if level is None:
            # Faster than any kind there is: no kind of its own, and nothing to suspect.
            waiting += group
        else:
            found |= dict.fromkeys(group, level)
    top = max(best.values(), default=0.0)
    return found | dict.fromkeys(waiting, top)
