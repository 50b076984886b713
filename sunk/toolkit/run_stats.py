"""A run's figures: where its time went, what that cost, how often it should save; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sunk.model.profile import Price
from sunk.plan.goodput import Bucket, Span, account, daly_seconds
from sunk_jobs.triage import Attempt, Class

_PLANNED = frozenset({Class.DONE, Class.SAVED, Class.PARTIAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStats:
    """A run's figures; None where there is nothing to measure.

    Attributes:
        attempts: that left something.
        failures: of them, ended otherwise than as planned.
        allocated_seconds: of all attempts.
        waited_seconds: between attempts.
        useful, lost, stalled, start, tail: shares of allocated time; together one.
        step_seconds: a usual step.
        save_seconds: how long a usual stall was, over a usual step; most are saves.
        mtbf_seconds: allocated time for each failure.
        save_every_seconds: Daly's interval for these.
        node_hours: allocated.
        cost: of them, by the profile.
        lost_cost: of the part of it that was lost.
        currency: of both; empty without a price.
    """

    attempts: int
    failures: int
    allocated_seconds: float
    waited_seconds: float
    useful: float
    lost: float
    stalled: float
    start: float
    tail: float
    step_seconds: float | None
    save_seconds: float | None
    mtbf_seconds: float | None
    save_every_seconds: float | None
    node_hours: float
    cost: float | None
    lost_cost: float | None
    currency: str


def stats_of(
    spans: Sequence[Span], judged: Sequence[Attempt], nodes: int, price: Price | None
) -> RunStats:
    """Return a run's figures.

    Args:
        spans: its attempts.
        judged: those with a verdict. One without, unless it is the last, counts as a failure: its
            batch script was ended from outside.
        nodes: of the job.
        price: of its nodes.
    """
    ledger = account(spans)
    planned = sum(1 for one in judged if one.kind in _PLANNED)
    failed = sum(1 for one in judged if one.kind not in _PLANNED)
    failures = max(failed, len(spans) - planned - 1) if spans else 0
    allocated = ledger.allocated_ms / 1000
    mtbf = allocated / failures if failures and allocated else None
    save = None if ledger.stall_ms is None else ledger.stall_ms / 1000
    hours = allocated / 3600 * nodes
    cost = None if price is None else hours * price.per_node_hour
    shares = ledger.shares
    return RunStats(
        attempts=len(spans),
        failures=failures,
        allocated_seconds=allocated,
        waited_seconds=ledger.between_ms / 1000,
        useful=shares[Bucket.USEFUL],
        lost=shares[Bucket.LOST],
        stalled=shares[Bucket.STALLED],
        start=shares[Bucket.START],
        tail=shares[Bucket.TAIL],
        step_seconds=None if ledger.step_ms is None else ledger.step_ms / 1000,
        save_seconds=save,
        mtbf_seconds=None if mtbf is None else round(mtbf, 3),
        save_every_seconds=round(daly_seconds(save, mtbf), 1) if save and mtbf else None,
        node_hours=round(hours, 4),
        cost=None if cost is None else round(cost, 2),
        lost_cost=None if cost is None else round(cost * shares[Bucket.LOST], 2),
        currency="" if price is None else price.currency,
    )
