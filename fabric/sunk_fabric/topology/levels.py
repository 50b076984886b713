"""Levels of a tree: leaves are level 1, whatever has no better place one above its peers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.parts import Link

ROUNDS = 20
"""Levels settle in a few; a fabric that is no tree may never do."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Where switches stand.

    Attributes:
        of: GUID -> level from 1; switches that no host reaches are not in it.
        defects: hosts above the leaves, cables between switches of one level, loops.
    """

    of: Mapping[str, int]
    defects: tuple[Defect, ...]

    @property
    def top(self) -> int:
        """Return the highest level; 0 without switches."""
        return max(self.of.values(), default=0)

    def at(self, level: int) -> tuple[str, ...]:
        """Return the switches of a level, sorted."""
        return tuple(sorted(guid for guid, found in self.of.items() if found == level))


def find_levels(fabric: Fabric) -> Levels:
    """Return the levels, each the one that fits most of a switch's cables."""
    leaves = _leaves(fabric)
    found = _distances(fabric, leaves)
    _settle(fabric, found, leaves)
    strays = [_stray(fabric, link) for link in fabric.links if _is_stray(fabric, link, found)]
    flat = [_flat(fabric, link, found) for link in fabric.links if _is_flat(link, found)]
    return Levels(found, (*strays, *flat))


def switch_peers(fabric: Fabric, guid: str) -> tuple[tuple[Link, str], ...]:
    """Return a switch's cables to other switches, each with the far switch."""
    ends = ((link, link.far(guid).guid) for link in fabric.at.get(guid, ()))
    return tuple((link, far) for link, far in ends if far in fabric.switches and far != guid)


def _leaves(fabric: Fabric) -> frozenset[str]:
    """Return switches with hosts, but for those whose peers are the leaves: spines with a stray."""
    share: dict[str, float] = {}
    for guid in fabric.switches:
        links = fabric.at.get(guid, ())
        hosts = sum(link.far(guid).guid in fabric.hcas for link in links)
        if hosts:
            share[guid] = hosts / len(links)
    strays = set()
    for guid, own in share.items():
        peers = [share.get(far, 0.0) for _, far in switch_peers(fabric, guid)]
        above = sum(one > own for one in peers)
        # A leaf has other leaves for peers only by a wrong cable; a spine has them by design, and
        # half of its peers are cores.
        if peers and 4 * above >= len(peers):
            strays.add(guid)
    return frozenset(set(share) - strays)


def _distances(fabric: Fabric, leaves: frozenset[str]) -> dict[str, int]:
    found = dict.fromkeys(sorted(leaves), 1)
    queue = deque(found)
    while queue:
        guid = queue.popleft()
        for _, far in switch_peers(fabric, guid):
            if far not in found:
                found[far] = found[guid] + 1
                queue.append(far)
    return found


def _settle(fabric: Fabric, found: dict[str, int], leaves: frozenset[str]) -> None:
    """Move switches to the level that most of their cables ask for.

    One cable from a leaf to a core makes the core look like a spine; its other cables know better.
    """
    peers = {guid: Counter(far for _, far in switch_peers(fabric, guid)) for guid in found}
    for _ in range(ROUNDS):
        changed = False
        for guid in sorted(found):
            if guid in leaves:
                continue
            wanted: Counter[int] = Counter()
            for far, count in peers[guid].items():
                for level in {found[far] - 1, found[far] + 1} - {0, 1}:
                    wanted[level] += count
            best = max(wanted, key=lambda level: (wanted[level], -level), default=found[guid])
            if wanted[best] > wanted[found[guid]]:
                found[guid] = best
                changed = True
        if not changed:
            return


def _is_stray(fabric: Fabric, link: Link, levels: Mapping[str, int]) -> bool:
    ends = {link.low.guid, link.high.guid}
    return bool(ends & fabric.compute) and any(levels.get(one, 0) > 1 for one in ends)


def _stray(fabric: Fabric, link: Link) -> Defect:
    host, switch = (link.low, link.high) if link.low.guid in fabric.hcas else (link.high, link.low)
    return Defect(
        kind=DefectKind.HOST_ON_SPINE,
        subject=fabric.subject(host.guid),
        found=f"{fabric.name(host.guid)} is at {fabric.place(switch)}, which is no leaf",
        remedy=f"move the cable of {fabric.name(host.guid)} to its leaf",
        touches=(fabric.subject(switch.guid),),
        links=(link,),
    )


def _is_flat(link: Link, levels: Mapping[str, int]) -> bool:
    low, high = levels.get(link.low.guid), levels.get(link.high.guid)
    if low is None or high is None or link.low.guid == link.high.guid:
        return False
    return abs(low - high) != 1


def _flat(fabric: Fabric, link: Link, levels: Mapping[str, int]) -> Defect:
    low, high = levels[link.low.guid], levels[link.high.guid]
    where = f"both at level {low}" if low == high else f"at levels {low} and {high}"
    return Defect(
        kind=DefectKind.SAME_LEVEL,
        subject=fabric.subject(link.low.guid),
        found=f"a cable joins {fabric.place(link.low)} and {fabric.place(link.high)}, {where}",
        remedy="recable both ends to the level above",
        touches=(fabric.subject(link.high.guid),),
        links=(link,),
    )
