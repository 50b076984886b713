"""Limits of checks that a site may set otherwise, each with its source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

OF_SITE = "the site's file"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is compared with.

    Attributes:
        passing: PASS at this and better.
        failing: FAIL beyond this; in between is WARN.
        unit: of both, in words.
        source: where they come from.
    """

    passing: float
    failing: float
    unit: str
    source: str

    @property
    def rises(self) -> bool:
        """Return whether more is better."""
        return self.passing >= self.failing

    @property
    def words(self) -> str:
        """Return what to say beside a figure; nothing where the limits are the usual ones."""
        if self.source != OF_SITE:
            return ""
        return f"; {OF_SITE} has {self.passing:g} and {self.failing:g}"


_LINE = "of the ceiling of rate, MTU and PCIe"
LIMITS: Mapping[str, Limit] = {
    "nccl.bandwidth.scale": Limit(
        0.85, 0.80, "of adapters x rate", "derived: what tests of NDR and HDR adapters give"
    ),
    "nccl.bandwidth.variance": Limit(0.05, 0.10, "deviation over mean", "proposal"),
    "nccl.mpi.bandwidth": Limit(
        0.966, 0.925, _LINE, "proposal, near published 385 and 370 of 397.5 Gb/s"
    ),
    "nccl.mpi.latency": Limit(
        3.0, 10.0, "us", "proposal: verbs take 1.3 to 1.6 us within a leaf, sockets 10 and more"
    ),
    "pair.class.rate": Limit(
        0.966, 0.925, f"{_LINE}; over TCP 0.80 and 0.50 unless the site sets others", "proposal"
    ),
    "rdma.loopback.bandwidth": Limit(0.92, 0.92, _LINE, "proposal, near published checks at NDR"),
    "rdma.pair.bandwidth": Limit(
        0.966, 0.925, _LINE, "proposal, near published 385 and 370 of 397.5 Gb/s"
    ),
    "rdma.pair.gdr": Limit(0.95, 0.95, "of the rate without GPU memory", "published checks"),
    "rdma.pair.latency": Limit(
        4.2, math.inf, "us, 99th percentile", "published for NDR by one site; proposal for others"
    ),
    "sharp.nccl.gain": Limit(1.0, 0.0, "times the bandwidth without", "proposal"),
}
"""Check -> its usual limits."""


def limit(name: str, of_site: Mapping[str, tuple[float, float]]) -> Limit:
    """Return the limits of a check: the site's, or the usual ones."""
    usual = LIMITS[name]
    if name not in of_site:
        return usual
    passing, failing = of_site[name]
    return replace(usual, passing=passing, failing=failing, source=OF_SITE)


def problem(of_site: Mapping[str, tuple[float, float]]) -> str:
    """Return what is wrong with limits that a site sets, in words; empty when nothing is."""
    for name, (passing, failing) in sorted(of_site.items()):
        if name not in LIMITS:
            return f"{name} has no limits to set; those that have: {', '.join(sorted(LIMITS))}"
        if math.isnan(passing) or math.isnan(failing):
            return f"limits of {name} are no numbers"
        usual = LIMITS[name]
        orders = {passing >= failing, usual.rises}
        if passing != failing and usual.passing != usual.failing and len(orders) > 1:
            first = "more" if usual.rises else "less"
            return f"limits of {name}: PASS wants {first} than FAIL, {passing:g} and {failing:g}"
    return ""
