"""What a plan states before it starts, in plain types and in words; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sunk.model.hostlist import fold
from sunk_fabric.active.planning import SEPARABLE_HOSTS, Plan
from sunk_fabric.active.tools import Settings, ToolName


def statement(plan: Plan, tool: ToolName, how: Settings) -> Mapping[str, Any]:
    """Return a plan in plain types; names carry their units, shares are between 0 and 1."""
    power, covered = plan.power, plan.coverage
    return {
        "pattern": str(plan.pattern),
        "tool": str(tool),
        "hosts": fold(plan.layout.hosts),
        "host_count": len(plan.layout.hosts),
        "rails": [one for one in plan.layout.rails if one],
        "seed": plan.seed,
        "rounds": len(plan.rounds),
        "repetition_rounds_at_most": plan.confirm_rounds,
        "round_seconds_at_most": plan.round_seconds,
        "minutes_at_most": round(plan.minutes, 2),
        "node_hours_at_most": round(plan.node_hours, 3),
        "cost_at_most": None if plan.cost is None else round(plan.cost, 2),
        "currency": plan.currency,
        "megabytes_a_transfer_at_most": how.total_bytes / 1e6,
        "power": {
            "effect": power.effect,
            "noise": power.noise,
            "slow_host": round(power.host, 4),
            "slow_pair": round(power.pair, 4),
            "bad_uplink_crossed": None if power.uplink is None else round(power.uplink, 4),
            "good_pair_suspected": round(power.false_suspect, 6),
        },
        "coverage": {
            "pairs": covered.pairs,
            "pairs_of": covered.pairs_of,
            "host_links": covered.host_links,
            "host_links_of": covered.host_links_of,
            "leaves": covered.leaves,
            "leaves_of": covered.leaves_of,
            "uplinks_share": None if covered.uplinks is None else round(covered.uplinks, 4),
        },
        "shortened": list(plan.shortened),
        "notes": list(notes(plan)),
    }


def notes(plan: Plan) -> tuple[str, ...]:
    """Return what a plan cannot do."""
    found = []
    if len(plan.layout.hosts) < SEPARABLE_HOSTS:
        found.append(
            f"{len(plan.layout.hosts)} hosts are too few to tell a host from its links:"
            f" {SEPARABLE_HOSTS} or more can"
        )
    if plan.coverage.uplinks is None:
        found.append("no topology file: hop classes and uplinks are not known")
    if plan.cost is None:
        found.append("no price: the profile says none for the partition, or none was named")
    return tuple(found)


def lines(plan: Plan, tool: ToolName) -> tuple[str, ...]:
    """Return a plan in words."""
    power, covered = plan.power, plan.coverage
    cost = "" if plan.cost is None else f", {plan.cost:.2f} {plan.currency}"
    uplinks = (
        ""
        if covered.uplinks is None
        else f"; {covered.leaves} of {covered.leaves_of} leaves,"
        f" {covered.uplinks:.0%} of their uplinks expected"
    )
    return (
        f"{plan.pattern} with {tool}: {len(plan.layout.hosts)} hosts, {len(plan.rounds)} rounds and"
        f" at most {plan.confirm_rounds} to repeat suspects",
        f"at most {plan.minutes:.1f} minutes, {plan.node_hours:.2f} node-hours{cost}",
        f"covers {covered.pairs} of {covered.pairs_of} ordered pairs, {covered.host_links} of"
        f" {covered.host_links_of} host links{uplinks}",
        f"finds a loss of {power.effect:.0%} of the rate at a noise of {power.noise:.0%}: host"
        f" {power.host:.1%}, pair {power.pair:.1%}"
        + ("" if power.uplink is None else f", bad uplink crossed {power.uplink:.1%}"),
        *(f"shortened: {one}" for one in plan.shortened),
        *(f"note: {one}" for one in notes(plan)),
    )
