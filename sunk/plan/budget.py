"""The breaker: how many disruptive actions may be done in a window of time; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be disturbed.

    Attributes:
        least: actions in a window that are always allowed.
        share: further ones, as a share of all nodes: the larger of both counts.
        window_seconds: length of the window.
    """

    least: int = 20
    share: float = 0.25
    window_seconds: float = 60.0


def allowance(budget: Budget, *, nodes: int, done_at: tuple[float, ...], now: float) -> int:
    """Return how many more disruptive actions may be done now.

    Args:
        budget: the limits.
        nodes: Slurm nodes there are.
        done_at: when earlier ones were done.
        now: on the same clock.
    """
    recent = sum(1 for at in done_at if now - at < budget.window_seconds)
    return max(0, max(budget.least, int(budget.share * nodes)) - recent)


def remembered(budget: Budget, done_at: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Return the times that still count."""
    return tuple(at for at in done_at if now - at < budget.window_seconds)
