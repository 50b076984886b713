"""Which configuration slurmctld runs with, from what its Pod says of it; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_LINE = re.compile(
    r"sunk: configuration (?P<digest>[0-9a-f]+|none) (?:is (?P<word>in force|refused: (?P<why>.*)))"
)


class ConfState(StrEnum):
    """How far an offered configuration is."""

    IN_FORCE = "InForce"
    REFUSED = "Refused"
    OFFERED = "Offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfReading:
    """What is known of an offered configuration.

    Attributes:
        why_not: slurmctld's own words when it was refused.
    """

    state: ConfState
    why_not: str = ""


def read_log(log: str, digest: str) -> ConfReading:
    """Return what slurmctld's Pod said last of the configuration with this digest.

    One that was in force before another one was is on offer again, and no more than that. One that
    was refused stays so while others come and go: it would be refused again.
    """
    found = ConfReading(state=ConfState.OFFERED)
    for line in log.splitlines():
        match = _LINE.search(line)
        if match is None:
            continue
        mine = match["digest"] == digest
        if match["why"] is None and mine:
            found = ConfReading(state=ConfState.IN_FORCE)
        elif match["why"] is None and found.state is ConfState.IN_FORCE:
            found = ConfReading(state=ConfState.OFFERED)
        elif match["why"] is not None and mine:
            found = ConfReading(state=ConfState.REFUSED, why_not=match["why"])
    return found
