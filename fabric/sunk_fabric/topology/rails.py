"""Rails and scalable units: which leaf each adapter of a host belongs to, by majority.

In a rail-optimised fabric all adapters of one name (``mlx5_3``) in a scalable unit share a leaf.
The name is the evidence that a scan has; a host whose driver numbers its cards in another order
looks like one with swapped cables, and its own PCI addresses tell the two apart.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from sunk_fabric import subjects
from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.disjoint import DisjointSets
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.levels import Levels
from sunk_fabric.topology.parts import Hca


@dataclass(frozen=True, slots=True)
class Placement:
    """Where adapters are.

    Attributes:
        leaf_of: adapter -> leaf, GUIDs; adapters at no leaf are not in it.
        rail_of: leaf -> device name of its majority; empty when the fabric has no rails.
        units: scalable units, each the sorted GUIDs of its leaves; one leaf each where hosts
            have one adapter.
        defects: one for every cause.
    """

    leaf_of: Mapping[str, str]
    rail_of: Mapping[str, str]
    units: tuple[tuple[str, ...], ...]
    defects: tuple[Defect, ...]

    @property
    def rails(self) -> tuple[str, ...]:
        """Return the rails' names, sorted as people count."""
        return tuple(sorted(set(self.rail_of.values()), key=natural))


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts ``leaf10`` after ``leaf9``."""
    return tuple((int(one), "") if one.isdigit() else (-1, one) for one in re.split(r"(\d+)", text))


def find_placement(fabric: Fabric, levels: Levels) -> Placement:
    """Return rails and units, and the adapters that are not where their kind is."""
    leaf_of = _leaf_of(fabric, levels)
    rail_of = _rails(fabric, leaf_of)
    units = _units(fabric, levels, leaf_of)
    rails_off = [
        guid for guid, leaf in sorted(leaf_of.items()) if _off_rail(fabric, guid, leaf, rail_of)
    ]
    units_off = _off_unit(fabric, leaf_of, units, set(rails_off))
    defects = (
        *_rail_defects(fabric, rails_off, leaf_of, rail_of),
        *_unit_defects(fabric, units_off, leaf_of),
        *_missing(fabric, leaf_of, units),
    )
    return Placement(leaf_of, rail_of, units, defects)


def _leaf_of(fabric: Fabric, levels: Levels) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for guid in sorted(fabric.compute):
        for link in fabric.at.get(guid, ()):
            far = link.far(guid).guid
            if levels.of.get(far) == 1:
                found.setdefault(guid, far)
    return found


def _rails(fabric: Fabric, leaf_of: Mapping[str, str]) -> Mapping[str, str]:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for guid, leaf in leaf_of.items():
        seen[leaf][fabric.hcas[guid].device] += 1
    best = {leaf: _winner(counted) for leaf, counted in seen.items()}
    agreeing = sum(seen[leaf][rail] for leaf, rail in best.items() if rail)
    names = {fabric.hcas[guid].device for guid in fabric.compute}
    # Without rails every leaf has all of a host's adapters, and no name has a majority.
    if len(names) < 2 or 2 * agreeing <= len(leaf_of):
        return {}
    return {leaf: rail for leaf, rail in sorted(best.items()) if rail}


def _winner(counted: Counter[str]) -> str:
    """Return the only most frequent name; empty on a tie."""
    (first, count), *rest = counted.most_common(2)
    return "" if rest and rest[0][1] == count else first


def _units(
    fabric: Fabric, levels: Levels, leaf_of: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """Return leaves in groups of those that share at least half of their hosts."""
    hosts: dict[str, set[str]] = defaultdict(set)
    leaves: dict[str, set[str]] = defaultdict(set)
    for guid, leaf in leaf_of.items():
        hosts[leaf].add(fabric.hcas[guid].host)
        leaves[fabric.hcas[guid].host].add(leaf)
    shared: Counter[tuple[str, str]] = Counter()
    for found in leaves.values():
        shared.update(combinations(sorted(found), 2))
    units = DisjointSets(levels.at(1))
    for (one, other), count in shared.items():
        if 2 * count > min(len(hosts[one]), len(hosts[other])):
            units.join(one, other)
    groups = units.groups()
    return tuple(sorted(groups, key=lambda one: min(natural(fabric.name(leaf)) for leaf in one)))


def _off_rail(fabric: Fabric, guid: str, leaf: str, rail_of: Mapping[str, str]) -> bool:
    return leaf in rail_of and rail_of[leaf] != fabric.hcas[guid].device


def _off_unit(
    fabric: Fabric,
    leaf_of: Mapping[str, str],
    units: tuple[tuple[str, ...], ...],
    known: set[str],
) -> list[str]:
    unit_of = {leaf: number for number, unit in enumerate(units) for leaf in unit}
    by_host: dict[str, list[str]] = defaultdict(list)
    for guid in sorted(leaf_of):
        by_host[fabric.hcas[guid].host].append(guid)
    found = []
    for guids in by_host.values():
        counted = Counter(unit_of[leaf_of[guid]] for guid in guids)
        ((home, count), *_) = counted.most_common(1)
        if 2 * count > len(guids):
            away = (guid for guid in guids if unit_of[leaf_of[guid]] != home)
            found += [guid for guid in away if guid not in known]
    return found


def _rail_defects(
    fabric: Fabric, off: list[str], leaf_of: Mapping[str, str], rail_of: Mapping[str, str]
) -> Iterable[Defect]:
    left = [fabric.hcas[guid] for guid in off]
    by_host: dict[str, list[Hca]] = defaultdict(list)
    for hca in left:
        by_host[hca.host].append(hca)
    for _, hcas in sorted(by_host.items()):
        if {one.device for one in hcas} == {rail_of[leaf_of[one.guid]] for one in hcas}:
            left = [one for one in left if one not in hcas]
            yield _swapped(fabric, hcas, leaf_of)
    while left:
        one = left.pop(0)
        wants, has = one.device, rail_of[leaf_of[one.guid]]
        partner = next(
            (hca for hca in left if hca.device == has and rail_of[leaf_of[hca.guid]] == wants), None
        )
        if partner is not None:
            left.remove(partner)
            yield _swapped(fabric, [one, partner], leaf_of)
        else:
            yield Defect(
                kind=DefectKind.WRONG_RAIL,
                subject=fabric.subject(one.guid),
                found=f"{one.name} is at {fabric.name(leaf_of[one.guid])}, the leaf of {has}",
                remedy=f"move its cable to the leaf of {wants} in its unit",
                touches=(fabric.subject(leaf_of[one.guid]),),
            )


def _swapped(fabric: Fabric, hcas: list[Hca], leaf_of: Mapping[str, str]) -> Defect:
    names = " and ".join(one.name for one in hcas)
    now = ", ".join(f"{one.name} is at {_socket(fabric, one, leaf_of)}" for one in hcas)
    verb = "swap the cables of" if len(hcas) == 2 else "rotate the cables of"
    return Defect(
        kind=DefectKind.SWAPPED_HCAS,
        subject=fabric.subject(hcas[0].guid),
        found=now,
        remedy=f"{verb} {names}",
        touches=tuple(fabric.subject(one.guid) for one in hcas[1:]),
    )


def _socket(fabric: Fabric, hca: Hca, leaf_of: Mapping[str, str]) -> str:
    leaf = leaf_of[hca.guid]
    ends = [link.far(hca.guid) for link in fabric.at[hca.guid] if link.far(hca.guid).guid == leaf]
    return fabric.place(ends[0])


def _unit_defects(fabric: Fabric, off: list[str], leaf_of: Mapping[str, str]) -> Iterable[Defect]:
    left = [fabric.hcas[guid] for guid in off]
    homes = {host: _home(fabric, host, leaf_of, off) for host in {one.host for one in left}}
    while left:
        one = left.pop(0)
        here = leaf_of[one.guid]
        partner = next(
            (
                hca
                for hca in left
                if hca.device == one.device
                and here in homes[hca.host]
                and leaf_of[hca.guid] in homes[one.host]
            ),
            None,
        )
        if partner is not None:
            left.remove(partner)
            yield _swapped(fabric, [one, partner], leaf_of)
            continue
        yield Defect(
            kind=DefectKind.WRONG_UNIT,
            subject=fabric.subject(one.guid),
            found=f"{one.name} is at {_socket(fabric, one, leaf_of)}, in another scalable unit"
            f" than the rest of {one.host}",
            remedy=f"move its cable to the leaf of {one.device} in the unit of {one.host}",
            touches=(fabric.subject(here),),
        )


def _home(fabric: Fabric, host: str, leaf_of: Mapping[str, str], off: list[str]) -> frozenset[str]:
    """Return leaves that hosts share with the adapters of `host` that are in place."""
    own = {
        leaf_of[g]
        for g, hca in fabric.hcas.items()
        if hca.host == host and g in leaf_of and g not in off
    }
    neighbours = {fabric.hcas[guid].host for guid, leaf in leaf_of.items() if leaf in own}
    return frozenset(
        leaf
        for guid, leaf in leaf_of.items()
        if fabric.hcas[guid].host in neighbours and guid not in off
    )


def _missing(
    fabric: Fabric, leaf_of: Mapping[str, str], units: tuple[tuple[str, ...], ...]
) -> Iterable[Defect]:
    """Adapters that a host lacks and the other hosts of its kind have."""
    devices: dict[str, set[str]] = defaultdict(set)
    for guid in fabric.compute:
        devices[fabric.hcas[guid].host].add(fabric.hcas[guid].device)
    whole = sum(found == fabric.usual for found in devices.values())
    behind: set[tuple[str, str]] = set()
    for hosts in _hosts_of(fabric, leaf_of, units):
        for device in sorted(fabric.usual, key=natural):
            if len(hosts) > 1 and not any(device in devices[one] for one in hosts):
                behind |= {(one, device) for one in hosts}
                yield _missing_leaf(hosts, device)
    for host, found in sorted(devices.items()):
        for device in sorted(fabric.usual - found, key=natural):
            if (host, device) in behind:
                continue
            yield Defect(
                kind=DefectKind.MISSING_HCA,
                subject=subjects.node(host, device),
                found=f"{host} has no {device} in the fabric; {whole} of {len(devices)} hosts do",
                remedy=f"look on {host} for its PCI device: there, it is the cable; gone, the card",
            )


def _hosts_of(
    fabric: Fabric, leaf_of: Mapping[str, str], units: tuple[tuple[str, ...], ...]
) -> Iterable[list[str]]:
    """Yield the hosts of every scalable unit, sorted; those of most of its leaves."""
    unit_of = {leaf: number for number, unit in enumerate(units) for leaf in unit}
    votes: dict[str, Counter[int]] = defaultdict(Counter)
    for guid, leaf in leaf_of.items():
        votes[fabric.hcas[guid].host][unit_of[leaf]] += 1
    found: dict[int, list[str]] = defaultdict(list)
    for host, counted in votes.items():
        found[counted.most_common(1)[0][0]].append(host)
    for _, hosts in sorted(found.items()):
        yield sorted(hosts, key=natural)


def _missing_leaf(hosts: list[str], device: str) -> Defect:
    return Defect(
        kind=DefectKind.MISSING_LEAF,
        subject=subjects.FABRIC,
        found=f"the {len(hosts)} hosts of a scalable unit, {hosts[0]} to {hosts[-1]}, have no"
        f" {device} in the fabric: the leaf of that rail is missing",
        remedy="look whether that leaf has power; then at its uplinks",
        touches=tuple(subjects.node(one, device) for one in hosts),
    )
