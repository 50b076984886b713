"""What a property test tries: the same few examples in every run, a hundred times as many at night.

A run that is red for what it happened to draw says nothing about the change at hand; the nights
draw anew each time, and what they find becomes a test of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from hypothesis import HealthCheck, settings

VARIABLE = "SUNK_HYPOTHESIS_PROFILE"
PROFILES = {"default": 1, "nightly": 100}
"""Examples relative to a usual run."""


def profile() -> str:
    """Return the chosen profile, for example that of ``make nightly``."""
    name = os.environ.get(VARIABLE, "default")
    if name not in PROFILES:
        raise SystemExit(f"{VARIABLE}={name}: choose one of {', '.join(PROFILES)}")
    return name


def examples(usual: int) -> int:
    """Return how many examples to try where a usual run tries `usual`."""
    return usual * PROFILES[profile()]


def sample(usual: tuple[int, ...], whole: Iterable[int]) -> tuple[int, ...]:
    """Return a usual run's fixed sample of a table, or the whole table at night."""
    return usual if profile() == "default" else tuple(whole)


def load_profile() -> None:
    """Set what holds for tests that say nothing; no wall clock: a busy machine is no failure."""
    settings.register_profile(
        profile(),
        deadline=None,
        derandomize=profile() == "default",
        max_examples=examples(100),
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(profile())
