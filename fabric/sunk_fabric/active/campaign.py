"""A test from its plan to its last repetition; what moves bytes is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sunk_fabric.active.assess import assess
from sunk_fabric.active.isolation import confirming, failing
from sunk_fabric.active.patterns import Flow, Round
from sunk_fabric.active.planning import Plan
from sunk_fabric.active.samples import Gone, Phase, Sample


class Mover(Protocol):
    """Moves bytes; `sunk_fabric.active.runner.Runner`."""

    def transfer(self, number: int, phase: Phase, flows: Round) -> Sequence[Sample]:
        """Make the transfers of a round at once; return one sample for each."""

    def skip(self, samples: Sequence[Sample]) -> None:
        """Note transfers that are not made."""


def campaign(plan: Plan, effect: float, mover: Mover) -> tuple[Sample, ...]:
    """Run every round of a plan, then repeat suspects within its limit; return all samples.

    Hosts that fail with everybody are skipped after three partners: their flows are missing.
    """
    samples: list[Sample] = []
    number = 0
    for flows in plan.rounds:
        number += 1
        dead = failing(samples)
        going = tuple(one for one in flows if dead.isdisjoint(one.ends))
        skipped = [_skipped(one, number, dead) for one in flows if not dead.isdisjoint(one.ends)]
        mover.skip(skipped)
        samples += skipped
        if going:
            samples += mover.transfer(number, Phase.SCREEN, going)
    left = plan.confirm_rounds
    while rounds := confirming(assess(samples, plan.layout, effect), samples, plan.layout, left):
        for flows in rounds:
            number += 1
            samples += mover.transfer(number, Phase.CONFIRM, flows)
        left -= len(rounds)
    return tuple(samples)


def _skipped(flow: Flow, number: int, dead: frozenset[str]) -> Sample:
    named = ", ".join(sorted(dead & set(flow.ends)))
    return Sample(
        flow=flow,
        round=number,
        phase=Phase.SCREEN,
        gbit_per_s=None,
        gone=Gone.SKIPPED,
        trouble=f"{named} failed with three partners before",
    )
