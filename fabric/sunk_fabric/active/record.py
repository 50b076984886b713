"""The record of a test, for the evidence folder; pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from sunk_fabric.active.layout import Layout
from sunk_fabric.active.planning import Plan
from sunk_fabric.parse.traffic_record import SCHEMA, Attempt, Cleanup, Leaf, Place, TestRecord


def record_of(
    plan: Plan,
    tool: str,
    effect: float,
    attempts: Sequence[Attempt],
    cleanup: Sequence[Cleanup],
    *,
    interrupted: bool = False,
) -> TestRecord:
    """Return the record of what was planned and done."""
    return TestRecord(
        schema=SCHEMA,
        pattern=plan.pattern,
        tool=tool,
        effect=effect,
        rounds=len(plan.rounds),
        confirm_rounds=plan.confirm_rounds,
        seed=plan.seed,
        hosts=plan.layout.hosts,
        rails=plan.layout.rails,
        places=_places(plan.layout),
        leaves=_leaves(plan.layout),
        attempts=tuple(attempts),
        cleanup=tuple(sorted(cleanup, key=lambda one: one.host)),
        interrupted=interrupted,
        shortened=plan.shortened,
    )


def record_text(record: TestRecord) -> bytes:
    """Return a record as JSON, sorted, one newline at its end."""
    return (json.dumps(msgspec.to_builtins(record), indent=1, sort_keys=True) + "\n").encode()


def _places(layout: Layout) -> tuple[Place, ...]:
    return tuple(
        Place(
            host=host,
            rail=rail,
            leaf=layout.leaf_of.get((host, rail), ""),
            gbit_per_s=layout.rate_gbit_per_s.get((host, rail)),
        )
        for host in layout.hosts
        for rail in layout.rails
    )


def _leaves(layout: Layout) -> tuple[Leaf, ...]:
    return tuple(
        Leaf(
            name=name,
            above=tuple(tuple(sorted(tier)) for tier in above),
            uplinks=layout.uplinks.get(name, 0),
        )
        for name, above in sorted(layout.above.items())
    )
