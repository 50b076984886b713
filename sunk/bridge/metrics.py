"""The bridge's metrics; docs/reference/metrics.md lists them, and a test holds it to this."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from sunk.bridge.loop import Round
from sunk.plan.workers import Source, Waiting

BREAKER, DOUBT, JOBS, OTHER = "breaker", "doubt", "jobs", "other"
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one bridge; in a registry of its own, so that a process may have several."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._rounds = Counter(
            "sunk_bridge_rounds_total", "Rounds that were completed.", registry=registry
        )
        self._seconds = Histogram(
            "sunk_bridge_round_seconds",
            "How long a round took.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._actions = Counter(
            "sunk_bridge_actions_total",
            "Actions by kind; outcome done or not_done.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._waiting = Gauge(
            "sunk_bridge_waiting",
            "What is wanted and has to wait, by reason: breaker, doubt, jobs, other.",
            ["reason"],
            registry=registry,
        )
        self._trusted = Gauge(
            "sunk_bridge_trusted",
            "1 while what a source (pods, nodes, slurm) says is believed, else 0.",
            ["source"],
            registry=registry,
        )
        self._leader = Gauge(
            "sunk_bridge_leader",
            "1 while this bridge leads, else 0; always 1 without leader election.",
            registry=registry,
        )
        self._last_round = Gauge(
            "sunk_bridge_last_round_timestamp_seconds",
            "When the last round was completed, in seconds since the epoch; 0 before the first.",
            registry=registry,
        )
        self.leads(leads=False)

    def leads(self, *, leads: bool) -> None:
        """Note whether this bridge leads; one that does not has neither waits nor doubts."""
        self._leader.set(1 if leads else 0)
        if not leads:
            for reason in (BREAKER, DOUBT, JOBS, OTHER):
                self._waiting.labels(reason).set(0)
            for source in Source:
                self._trusted.labels(source).set(0)

    def round_done(self, made: Round, *, seconds: float, at_seconds: float) -> None:
        """Note a round.

        Args:
            made: what it did.
            seconds: how long it took.
            at_seconds: when it ended, in seconds since the epoch.
        """
        self._rounds.inc()
        self._seconds.observe(seconds)
        self._last_round.set(at_seconds)
        for outcome in made.outcomes:
            word = "done" if outcome.done else "not_done"
            self._actions.labels(type(outcome.action).__name__, word).inc()
        tally = Tally(reason_of(one) for one in made.waiting)
        for reason in (BREAKER, DOUBT, JOBS, OTHER):
            self._waiting.labels(reason).set(tally[reason])
        doubted = {one.doubted for one in made.waiting}
        for source in Source:
            self._trusted.labels(source).set(0 if source in doubted else 1)

    def text(self) -> bytes:
        """Return everything in Prometheus' text form."""
        return generate_latest(self._registry)


def reason_of(waiting: Waiting) -> str:
    """Return the kind of reason why something waits."""
    if waiting.doubted is not None:
        return DOUBT
    if waiting.jobs:
        return JOBS
    return BREAKER if waiting.over_budget else OTHER
