"""Figures of the routes, in plain types and in words."""

from __future__ import annotations

from sunk_fabric.topology.audit import Audit
from sunk_fabric.topology.routes import Routes


def route_summary(found: Audit, routes: Routes) -> dict[str, object]:
    """Return what the routes are like; balance is most over mean of a switch's uplinks."""
    levels = sorted({one.level for one in routes.uplinks})
    return {
        "adapters": routes.adapters,
        "pairs": routes.pairs,
        "pairs_by_switches_on_the_way": {str(hops): many for hops, many in routes.hops.items()},
        "not_arriving": routes.unreachable_count,
        "in_circles": routes.circle_count,
        "not_told": [found.fabric.name(guid) for guid in routes.untold],
        "deadlock": [found.fabric.place(end) for end in routes.deadlock],
        "imbalance_by_level": {
            str(level): max(one.imbalance for one in routes.uplinks if one.level == level)
            for level in levels
        },
        "imbalance_by_rail": _by_rail(found, routes),
    }


def _by_rail(found: Audit, routes: Routes) -> dict[str, float]:
    rails = found.placement.rail_of
    return {
        rail: max(one.imbalance for one in routes.uplinks if rails.get(one.switch) == rail)
        for rail in found.placement.rails
        if any(rails.get(one.switch) == rail for one in routes.uplinks)
    }


def route_notes(found: Audit, routes: Routes) -> tuple[str, ...]:
    """Return what people should know of the routes."""
    fabric = found.fabric
    notes = [
        f"routes: {routes.pairs} pairs of adapters, {max(routes.hops, default=0)} switches on the"
        " longest way"
    ]
    if routes.uplinks:
        worst = max(routes.uplinks, key=lambda one: (one.imbalance, one.switch))
        notes.append(
            f"routes: the busiest uplink, {fabric.name(worst.switch)} port {worst.busiest}, carries"
            f" {worst.imbalance:.2f} of the mean"
        )
    for count, examples, how in (
        (routes.unreachable_count, routes.unreachable, "end nowhere"),
        (routes.circle_count, routes.circles, "go in circles"),
    ):
        if count:
            low, target = examples[0]
            pair = f"{fabric.name(low)} to {fabric.name(target)}"
            notes.append(f"routes: {count} ways {how}, such as from {pair}")
    if routes.deadlock:
        places = ", ".join(fabric.place(end) for end in routes.deadlock[:6])
        notes.append(f"routes: {len(routes.deadlock)} cables can wait for each other: {places}")
    notes += [f"routes: the tables leave out {fabric.name(guid)}" for guid in routes.untold]
    return tuple(notes)
