"""How likely a test finds a fault, before it is run; pure.

Logarithms of rates are taken as normal with the standard deviation `noise`. Sources: the standard
error of a median of n normal values, sqrt(pi / 2) x sigma / sqrt(n) (Kenney and Keeping, 1962); the
limit of 3.5 robust deviations (Iglewicz and Hoaglin, 1993). A fixed route through one of u cables
misses a certain one with probability 1 - 1/u, independently for each flow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

OUTLIER_DEVIATIONS = 3.5
MEDIAN_FACTOR = math.sqrt(math.pi / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Chances, each between 0 and 1.

    Attributes:
        effect: the fault's size: share of the rate that is lost.
        noise: standard deviation of one measurement, as a share of the rate.
        host: that a host that loses so much in one direction is suspected.
        pair: that an ordered pair that loses so much is suspected; pairs that are not tested count.
        uplink: that one bad cable above a leaf is crossed at least once; None when not known.
        false_suspect: that a good pair is suspected at first; a repetition clears it.
    """

    effect: float
    noise: float
    host: float
    pair: float
    uplink: float | None
    false_suspect: float


def limit(effect: float, deviation: float) -> float:
    """Return how far below expectation, in logarithms, is low: half the effect, or the noise."""
    return max(-math.log(1 - effect / 2), OUTLIER_DEVIATIONS * deviation)


def found(effect: float, deviation: float) -> float:
    """Return the chance that a measurement with this deviation shows a fault of this size."""
    if deviation <= 0:
        return 1.0
    return normal((-math.log(1 - effect) - limit(effect, deviation)) / deviation)


def median_error(noise: float, count: int) -> float:
    """Return the standard error of a median of `count` measurements; for one, the noise itself."""
    return noise if count <= 1 else min(noise, MEDIAN_FACTOR * noise / math.sqrt(count))


def crossed(cables: int, flows: int) -> float:
    """Return the chance that one of so many cables is used by one of so many flows."""
    return 1.0 if cables <= 1 and flows else 1 - (1 - 1 / max(cables, 1)) ** flows


def normal(deviations: float) -> float:
    """Return the share of a normal distribution below a value in standard deviations."""
    return 0.5 * (1 + math.erf(deviations / math.sqrt(2)))
