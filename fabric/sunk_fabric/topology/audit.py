"""Everything that a scan alone says about a fabric: its shape, what breaks it, what it carries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sunk_fabric.parse.ibnetdiscover import Discovery
from sunk_fabric.topology.capacity import Flow, Subscription, flows, subscriptions
from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.fabric import Fabric, build
from sunk_fabric.topology.groups import UNIFORM_SHARE, Groups, find_groups
from sunk_fabric.topology.levels import Levels, find_levels, switch_peers
from sunk_fabric.topology.parts import Link
from sunk_fabric.topology.rails import Placement, find_placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The outcome.

    Attributes:
        fabric: what is there.
        levels: of switches.
        groups: of switches cabled all to all.
        placement: of adapters: leaves, rails, scalable units.
        planes: parts without a cable between them, each the sorted GUIDs of its switches.
        mixed_rates: classes of cables without a usual rate, in words.
        subscriptions: down against up, of every switch below the top.
        flows: between halves, in all and for each rail.
        defects: one for every cause, sorted.
    """

    fabric: Fabric
    levels: Levels
    groups: Groups
    placement: Placement
    planes: tuple[tuple[str, ...], ...]
    mixed_rates: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    flows: tuple[Flow, ...]
    defects: tuple[Defect, ...]

    def of_kind(self, *kinds: DefectKind) -> tuple[Defect, ...]:
        """Return the defects of these kinds."""
        return tuple(one for one in self.defects if one.kind in kinds)


def audit(discovery: Discovery) -> Audit:
    """Return the audit of one scan."""
    fabric = build(discovery)
    levels = find_levels(fabric)
    groups = find_groups(fabric, levels)
    placement = find_placement(fabric, levels)
    planes = _planes(fabric)
    slow, mixed = _degraded(fabric, levels)
    defects = (
        *fabric.defects,
        *levels.defects,
        *groups.defects,
        *placement.defects,
        *slow,
        *_unlike(fabric, levels, planes),
    )
    known = _duplicated(defects)
    return Audit(
        fabric=fabric,
        levels=levels,
        groups=groups,
        placement=placement,
        planes=planes,
        mixed_rates=mixed,
        subscriptions=subscriptions(fabric, levels),
        flows=flows(fabric, levels, placement),
        defects=tuple(sorted(known, key=lambda one: (one.kind, one.subject, one.found))),
    )


def _duplicated(defects: Iterable[Defect]) -> Iterable[Defect]:
    """Leave out what a GUID at two places makes look missing: one of the two hides the other."""
    defects = tuple(defects)
    if not any(one.kind is DefectKind.DUPLICATE_GUID for one in defects):
        return defects
    hidden = {DefectKind.MISSING_HCA, DefectKind.MISSING_LEAF, DefectKind.MISSING_LINK}
    return tuple(one for one in defects if one.kind not in hidden)


def _planes(fabric: Fabric) -> tuple[tuple[str, ...], ...]:
    left = set(fabric.switches)
    found = []
    while left:
        queue = [min(left)]
        plane = set(queue)
        while queue:
            for _, far in switch_peers(fabric, queue.pop()):
                if far not in plane:
                    plane.add(far)
                    queue.append(far)
        left -= plane
        found.append(tuple(sorted(plane)))
    return tuple(found)


def _unlike(
    fabric: Fabric, levels: Levels, planes: tuple[tuple[str, ...], ...]
) -> Iterable[Defect]:
    if len(planes) < 2:
        return
    shapes = [
        tuple(sorted(Counter(levels.of.get(one, 0) for one in plane).items())) for plane in planes
    ]
    usual, _ = max(Counter(shapes).items(), key=lambda one: (one[1], one[0]))
    for plane, shape in zip(planes, shapes, strict=True):
        if shape != usual:
            names = ", ".join(sorted(fabric.name(one) for one in plane)[:3])
            yield Defect(
                kind=DefectKind.UNLIKE_PLANES,
                subject=fabric.subject(plane[0]),
                found=f"the part with {names} has {_shape(shape)}, the others {_shape(usual)}",
                remedy="look for the cables that join it to the rest, or the switches it lacks",
            )


def _shape(shape: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{count} switches of level {level}" for level, count in shape)


def _degraded(fabric: Fabric, levels: Levels) -> tuple[list[Defect], tuple[str, ...]]:
    """Return cables slower than most of their class, and classes without a usual rate."""
    classes: dict[tuple[int, int, tuple[str, ...]], list[Link]] = defaultdict(list)
    for link in fabric.links:
        if link.low.guid in fabric.aggregation_nodes or link.high.guid in fabric.aggregation_nodes:
            continue
        one, other = levels.of.get(link.low.guid, 0), levels.of.get(link.high.guid, 0)
        classes[min(one, other), max(one, other), _kind(fabric, link)].append(link)
    defects, mixed = [], []
    for (low, high, _), links in sorted(classes.items()):
        rate, count = Counter(link.rate for link in links).most_common(1)[0]
        what = f"cables between {_level(low)} and {_level(high)}"
        if count < UNIFORM_SHARE * len(links):
            mixed.append(f"{what}: {count} of {len(links)} have the most frequent rate, {rate}")
            continue
        slower = [link for link in links if link.rate.gbit_per_s < rate.gbit_per_s]
        defects += [_slow(fabric, link, f"{count} {what} have {rate}") for link in slower]
    return defects, tuple(mixed)


def _kind(fabric: Fabric, link: Link) -> tuple[str, ...]:
    """Return the kind of host at a cable: managers and storage may have other rates."""
    guids = (guid for guid in (link.low.guid, link.high.guid) if guid in fabric.hcas)
    return next((tuple(sorted(fabric.kinds[fabric.hcas[guid].host])) for guid in guids), ())


def _level(level: int) -> str:
    return f"level {level}" if level else "hosts"


def _slow(fabric: Fabric, link: Link, usual: str) -> Defect:
    near, far = link.low, link.high
    if far.guid in fabric.hcas:
        near, far = far, near
    return Defect(
        kind=DefectKind.DEGRADED,
        subject=fabric.subject(near.guid),
        found=f"the cable from {fabric.place(near)} to {fabric.place(far)} runs at {link.rate},"
        f" and {usual}",
        remedy="reseat the cable at both ends; if it stays so, replace it",
        touches=(fabric.subject(far.guid),),
        links=(link,),
    )


def summary(found: Audit) -> dict[str, object]:
    """Return the figures of an audit in plain types, for people and programs."""
    fabric, levels = found.fabric, found.levels
    ratios = [one.ratio for one in found.subscriptions]
    return {
        "hosts": len({one.host for one in fabric.hcas.values()}),
        "adapters": len(fabric.hcas),
        "other_adapters": len(fabric.hcas) - len(fabric.compute) + len(fabric.others),
        "aggregation_nodes": len(fabric.aggregation_nodes),
        "switches": len(fabric.switches),
        "links": len(fabric.links),
        "levels": {level: len(levels.at(level)) for level in range(1, levels.top + 1)},
        "planes": len(found.planes),
        "rails": list(found.placement.rails),
        "scalable_units": len(found.placement.units),
        "worst_oversubscription": max(ratios, default=None),
        "flows": {
            one.name: {
                "offered_gbit_per_s": one.offered_gbit_per_s,
                "possible_gbit_per_s": one.possible_gbit_per_s,
            }
            for one in found.flows
        },
        "defects": len(found.defects),
    }
