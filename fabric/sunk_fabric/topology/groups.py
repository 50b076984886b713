"""Groups of switches that are cabled all to all, and cables that break their pattern.

Between two levels of a fat tree, every lower switch of a group has the same number of cables to
every upper switch of it. What deviates from that number names the cable: a lower switch with one
too few to one and one too many to another has a moved cable; two such with opposite deviations
have swapped ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.disjoint import DisjointSets
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.levels import Levels, switch_peers
from sunk_fabric.topology.parts import Link

UNIFORM_SHARE = 0.75
"""Pairs that must agree before a deviation is a fault rather than another design. Proposal."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lower and upper switches that belong together.

    Attributes:
        level: of the lower switches.
        lower: GUIDs, sorted.
        upper: GUIDs, sorted.
        links_per_pair: how many cables a pair has, by majority; 0 when there is no majority.
    """

    level: int
    lower: tuple[str, ...]
    upper: tuple[str, ...]
    links_per_pair: int


@dataclass(frozen=True, slots=True)
class Groups:
    """All groups with what breaks them.

    Attributes:
        groups: sorted by level and members.
        defects: one for every cause.
        irregular: groups without a majority, which no deviation can be told in.
    """

    groups: tuple[Group, ...]
    defects: tuple[Defect, ...]
    irregular: tuple[Group, ...]


def find_groups(fabric: Fabric, levels: Levels) -> Groups:
    """Return groups between all neighbouring levels.

    Cables that the levels already explain take the place of the missing ones at their ends.
    """
    groups: list[Group] = []
    deviations: Counter[tuple[str, str]] = Counter()
    for level in range(1, levels.top):
        counts = _counts(fabric, levels, level)
        found = _between(counts, level)
        groups += found
        for group in found:
            deviations.update(_deviations(group, counts))
        deviations.update(_across(found, counts))
    explained = [*fabric.defects, *levels.defects]
    for defect in explained:
        _take_explained(defect, deviations)
    irregular = tuple(one for one in groups if not one.links_per_pair)
    return Groups(tuple(groups), tuple(_defects(fabric, levels, deviations)), irregular)


def _counts(fabric: Fabric, levels: Levels, level: int) -> Mapping[str, Counter[str]]:
    """Return lower switch -> how many cables to each upper one."""
    found = {}
    for guid in levels.at(level):
        peers = Counter(
            far for _, far in switch_peers(fabric, guid) if levels.of.get(far) == level + 1
        )
        found[guid] = peers
    return found


def _between(counts: Mapping[str, Counter[str]], level: int) -> list[Group]:
    below: dict[str, set[str]] = defaultdict(set)
    for low, peers in counts.items():
        for high in peers:
            below[high].add(low)
    upper_groups = _alike(below, counts)
    of_upper = {high: number for number, group in enumerate(upper_groups) for high in group}
    lower: dict[int, list[str]] = defaultdict(list)
    for low, peers in sorted(counts.items()):
        votes: Counter[int] = Counter()
        for high, count in peers.items():
            votes[of_upper[high]] += count
        if votes:
            lower[max(votes, key=lambda one: (votes[one], -one))].append(low)
    found = []
    for number, group in enumerate(upper_groups):
        pairs = [counts[low][high] for low in lower[number] for high in group]
        found.append(Group(level, tuple(lower[number]), group, _majority(pairs)))
    return found


def _alike(
    below: Mapping[str, set[str]], counts: Mapping[str, Counter[str]]
) -> list[tuple[str, ...]]:
    """Return upper switches in groups of those that share more than half of their lower ones."""
    shared: Counter[tuple[str, str]] = Counter()
    for peers in counts.values():
        shared.update(combinations(sorted(peers), 2))
    groups = DisjointSets(below)
    for (one, other), count in shared.items():
        if 2 * count > len(below[one] | below[other]):
            groups.join(one, other)
    return groups.groups()


def _majority(values: list[int]) -> int:
    if not values:
        return 0
    value, count = max(Counter(values).items(), key=lambda one: (one[1], one[0]))
    return value if count >= UNIFORM_SHARE * len(values) else 0


def _deviations(group: Group, counts: Mapping[str, Counter[str]]) -> Mapping[tuple[str, str], int]:
    if not group.links_per_pair:
        return {}
    pairs = ((low, high) for low in group.lower for high in group.upper)
    found = {(low, high): counts[low][high] - group.links_per_pair for low, high in pairs}
    return {pair: value for pair, value in found.items() if value}


def _across(
    groups: Iterable[Group], counts: Mapping[str, Counter[str]]
) -> Mapping[tuple[str, str], int]:
    """Return cables between groups: each is one too many."""
    found = {}
    for group in groups:
        own = set(group.upper)
        for low in group.lower:
            found.update(
                {(low, high): count for high, count in counts[low].items() if high not in own}
            )
    return found


def _take_explained(defect: Defect, deviations: Counter[tuple[str, str]]) -> None:
    """A cable that is elsewhere leaves a gap at both of its ends: that is no second cause."""
    for link in defect.links:
        for guid in (link.low.guid, link.high.guid):
            gap = next(
                (pair for pair in sorted(deviations) if guid in pair and deviations[pair] < 0), None
            )
            if gap is not None:
                deviations[gap] += 1


def _defects(
    fabric: Fabric, levels: Levels, deviations: Counter[tuple[str, str]]
) -> Iterable[Defect]:
    moved = _moves(deviations)
    while moved:
        guid, had, has = moved.pop(0)
        back = next((one for one in moved if (one[1], one[2]) == (has, had)), None)
        if back is not None:
            moved.remove(back)
            yield _swapped(fabric, (guid, had, has), back)
        else:
            yield _moved(fabric, guid, had, has)
    for (low, high), value in sorted(deviations.items()):
        for _ in range(-value):
            yield _missing(fabric, levels, low, high)
        for _ in range(value):
            yield _extra(fabric, low, high)


def _moves(deviations: Counter[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Take out what is one switch's gap and surplus at once: (switch, should be, is)."""
    found = []
    for side in (0, 1):
        by_switch: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for pair in sorted(deviations):
            by_switch[pair[side]].append(pair)
        for guid, pairs in sorted(by_switch.items()):
            gaps = [pair for pair in pairs for _ in range(-deviations[pair])]
            surplus = [pair for pair in pairs for _ in range(deviations[pair])]
            for gap, more in zip(gaps, surplus, strict=False):
                deviations[gap] += 1
                deviations[more] -= 1
                found.append((guid, gap[1 - side], more[1 - side]))
    return found


def cables(fabric: Fabric, one: str, other: str) -> tuple[Link, ...]:
    """Return the cables between two nodes, sorted."""
    return tuple(link for link in fabric.at.get(one, ()) if link.far(one).guid == other)


def _last(fabric: Fabric, one: str, other: str) -> tuple[Link, ...]:
    """Return the cable that most likely does not belong: the one at the highest port."""
    return cables(fabric, one, other)[-1:]


def _ports(fabric: Fabric, one: str, other: str) -> str:
    numbers = ", ".join(str(link.near(one).port) for link in cables(fabric, one, other))
    return f"{fabric.name(one)} ports {numbers or 'none'}"


def _moved(fabric: Fabric, guid: str, had: str, has: str) -> Defect:
    return Defect(
        kind=DefectKind.MOVED_LINK,
        subject=fabric.subject(guid),
        found=f"{fabric.name(guid)} has one cable too many to {fabric.name(has)}"
        f" ({_ports(fabric, guid, has)}) and one too few to {fabric.name(had)}",
        remedy=f"move one cable of {_ports(fabric, guid, has)}"
        f" from {fabric.name(has)} to {fabric.name(had)}",
        touches=(fabric.subject(has), fabric.subject(had)),
        links=_last(fabric, guid, has),
    )


def _swapped(fabric: Fabric, one: tuple[str, str, str], other: tuple[str, str, str]) -> Defect:
    (first, had, has), (second, _, _) = one, other
    names = [fabric.name(guid) for guid in (first, second, had, has)]
    return Defect(
        kind=DefectKind.SWAPPED_LINKS,
        subject=fabric.subject(first),
        found=f"{names[0]} has one cable too many to {names[3]} and one too few to {names[2]},"
        f" and {names[1]} the reverse",
        remedy=f"swap one cable of {_ports(fabric, first, has)}"
        f" with one of {_ports(fabric, second, had)}",
        touches=(fabric.subject(second), fabric.subject(had), fabric.subject(has)),
        links=(*_last(fabric, first, has), *_last(fabric, second, had)),
    )


def _missing(fabric: Fabric, levels: Levels, low: str, high: str) -> Defect:
    return Defect(
        kind=DefectKind.MISSING_LINK,
        subject=fabric.subject(low),
        found=f"a cable from {fabric.name(low)} to {fabric.name(high)} is missing:"
        f" {len(cables(fabric, low, high))} there, one less than its neighbours of level"
        f" {levels.of[low]} have",
        remedy=f"look for a port that is Down or Polling at {fabric.name(low)} and"
        f" {fabric.name(high)}; reseat or replace the cable",
        touches=(fabric.subject(high),),
    )


def _extra(fabric: Fabric, low: str, high: str) -> Defect:
    return Defect(
        kind=DefectKind.EXTRA_LINK,
        subject=fabric.subject(low),
        found=f"there is a cable too many from {_ports(fabric, low, high)} to {fabric.name(high)}",
        remedy="compare with the plan; pull it if it is not in there",
        touches=(fabric.subject(high),),
        links=_last(fabric, low, high),
    )
