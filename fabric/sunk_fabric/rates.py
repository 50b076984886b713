"""InfiniBand generations: what a lane carries, and how tools write it.

Sources: InfiniBand architecture 1.7 (lane signalling rates), the kernel's ``rate`` attribute in
sysfs (port rates), infiniband-diags (spelling).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation of links.

    Attributes:
        name: as tools print it, ``NDR``.
        lane_gbit_per_s: nominal rate of one lane as sysfs counts it.
        signalled_gbit_per_s: the rate that iblinkinfo prints for one lane.
    """

    name: str
    lane_gbit_per_s: float
    signalled_gbit_per_s: float


GENERATIONS = (
    Generation(name="SDR", lane_gbit_per_s=2.5, signalled_gbit_per_s=2.5),
    Generation(name="DDR", lane_gbit_per_s=5, signalled_gbit_per_s=5),
    Generation(name="QDR", lane_gbit_per_s=10, signalled_gbit_per_s=10),
    Generation(name="FDR10", lane_gbit_per_s=10, signalled_gbit_per_s=10.3125),
    Generation(name="FDR", lane_gbit_per_s=14, signalled_gbit_per_s=14.0625),
    Generation(name="EDR", lane_gbit_per_s=25, signalled_gbit_per_s=25.78125),
    Generation(name="HDR", lane_gbit_per_s=50, signalled_gbit_per_s=53.125),
    Generation(name="NDR", lane_gbit_per_s=100, signalled_gbit_per_s=106.25),
    Generation(name="XDR", lane_gbit_per_s=200, signalled_gbit_per_s=212.5),
)
BY_NAME = {one.name: one for one in GENERATIONS}


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """Width and generation of a link.

    Attributes:
        width: lanes: 1, 2, 4, 8 or 12.
        generation: the name; empty when the tool printed one that nobody knows.
    """

    width: int
    generation: str

    @property
    def gbit_per_s(self) -> float:
        """Return the port's rate in 10⁹ bits per second; 0 when the generation is not known."""
        known = BY_NAME.get(self.generation)
        return self.width * known.lane_gbit_per_s if known else 0.0

    def __str__(self) -> str:
        return f"{self.width}X {self.generation or '???'}"


def generation_of_lane(signalled_gbit_per_s: float) -> str:
    """Return the generation that signals a lane at this rate; empty when there is none."""
    for one in GENERATIONS:
        if abs(one.signalled_gbit_per_s - signalled_gbit_per_s) < 0.01:
            return one.name
    return ""
