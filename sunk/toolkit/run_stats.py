"""A run's figures: where its time went, what that cost, how often it should save; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sunk.model.profile import Price
from sunk.plan.goodput import Bucket, Ledger, account, daly_seconds
from sunk.toolkit.run_times import TimedAttempt
from sunk_jobs.triage import Attempt, Class

_PLANNED = frozenset({Class.DONE, Class.SAVED, Class.PARTIAL})
_NO_FAILURE = frozenset(
    {"CANCELLED", "COMPLETED", "COMPLETING", "PENDING", "RUNNING", "SUSPENDED", "TIMEOUT"}
)
"""Ends, by accounting, that nothing broke: a time limit comes when it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStats:
    """A run's figures; None where there is nothing to measure.

    Attributes:
        attempts: that had nodes, or left something.
        accounted: of them, those whose times are Slurm's; of the others they are those of files.
        failures: of them, ended otherwise than as planned.
        allocated_seconds: of all attempts.
        queued_seconds: from the submission to the first start; None where accounting does not say.
        waited_seconds: between attempts.
        useful, lost, stalled, start, tail: shares of allocated time; together one.
        step_seconds: a usual step.
        save_seconds: how long a usual stall was, over a usual step; most are saves.
        mtbf_seconds: allocated time for each failure.
        save_every_seconds: Daly's interval for these.
        save_every_steps: the same in whole usual steps.
        ettr: useful time over all time from the submission on, queue and waits included.
        node_hours: allocated.
        billing_hours: what Slurm bills for them, by its TRESBillingWeights; None where accounting
            does not know every attempt.
        cost: of them, by the profile.
        lost_cost: of the part of it that was lost.
        currency: of both; empty without a price.
    """

    attempts: int
    accounted: int
    failures: int
    allocated_seconds: float
    queued_seconds: float | None
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
    save_every_steps: int | None
    ettr: float | None
    node_hours: float
    billing_hours: float | None
    cost: float | None
    lost_cost: float | None
    currency: str


def stats_of(
    attempts: Sequence[TimedAttempt], judged: Sequence[Attempt], nodes: int, price: Price | None
) -> RunStats:
    """Return a run's figures.

    Args:
        attempts: oldest first.
        judged: those with a verdict.
        nodes: of the job, where accounting does not say.
        price: of its nodes.
    """
    ledger = account([one.span for one in attempts])
    failures = _failures(attempts, judged)
    allocated = ledger.allocated_ms / 1000
    mtbf = allocated / failures if failures and allocated else None
    save = None if ledger.stall_ms is None else ledger.stall_ms / 1000
    every = daly_seconds(save, mtbf) if save and mtbf else None
    hours = sum(_hours(one) * _nodes(one, nodes) for one in attempts)
    cost = None if price is None else hours * price.per_node_hour
    queued = _queued_seconds(attempts)
    shares = ledger.shares
    return RunStats(
        attempts=len(attempts),
        accounted=sum(1 for one in attempts if one.allocation is not None),
        failures=failures,
        allocated_seconds=allocated,
        queued_seconds=queued,
        waited_seconds=ledger.between_ms / 1000,
        useful=shares[Bucket.USEFUL],
        lost=shares[Bucket.LOST],
        stalled=shares[Bucket.STALLED],
        start=shares[Bucket.START],
        tail=shares[Bucket.TAIL],
        step_seconds=None if ledger.step_ms is None else ledger.step_ms / 1000,
        save_seconds=save,
        mtbf_seconds=None if mtbf is None else round(mtbf, 3),
        save_every_seconds=None if every is None else round(every, 1),
        save_every_steps=_steps(every, ledger.step_ms),
        ettr=_ettr(ledger, queued),
        node_hours=round(hours, 4),
        billing_hours=_billing_hours(attempts),
        cost=None if cost is None else round(cost, 2),
        lost_cost=None if cost is None else round(cost * shares[Bucket.LOST], 2),
        currency="" if price is None else price.currency,
    )


def _failures(attempts: Sequence[TimedAttempt], judged: Sequence[Attempt]) -> int:
    """Return how many attempts ended otherwise than as planned.

    A verdict counts first, then what accounting says. Of an attempt without either, the batch
    script was ended from outside, unless it is the last.
    """
    verdicts = {one.number: one.kind for one in judged}
    last = attempts[-1].number if attempts else None
    return sum(1 for one in attempts if _failed(one, verdicts.get(one.number), last))


def _failed(attempt: TimedAttempt, kind: Class | None, last: int | None) -> bool:
    if kind is not None:
        return kind not in _PLANNED
    if attempt.allocation is None:
        return attempt.number != last
    return attempt.allocation.state.split(maxsplit=1)[0] not in _NO_FAILURE


def _hours(attempt: TimedAttempt) -> float:
    return (attempt.span.end_ms - attempt.span.start_ms) / 3_600_000


def _nodes(attempt: TimedAttempt, asked: int) -> int:
    given = 0 if attempt.allocation is None else attempt.allocation.nodes
    return given or asked


def _billing_hours(attempts: Sequence[TimedAttempt]) -> float | None:
    parts = [_hours(one) * one.allocation.billing for one in attempts if one.allocation is not None]
    return round(sum(parts), 4) if parts and len(parts) == len(attempts) else None


def _queued_seconds(attempts: Sequence[TimedAttempt]) -> float | None:
    first = attempts[0].allocation if attempts else None
    if first is None or first.submit_time is None:
        return None
    return max(0.0, attempts[0].span.start_ms / 1000 - first.submit_time)


def _ettr(ledger: Ledger, queued_seconds: float | None) -> float | None:
    """Return the effective training time ratio (A. Kokolis et al., arXiv 2410.21680)."""
    if queued_seconds is None:
        return None
    whole = ledger.allocated_ms + ledger.between_ms + queued_seconds * 1000
    return round(ledger.milliseconds[Bucket.USEFUL] / whole, 4) if whole else None


def _steps(every_seconds: float | None, step_ms: int | None) -> int | None:
    if every_seconds is None or not step_ms:
        return None
    return max(1, round(every_seconds * 1000 / step_ms))
