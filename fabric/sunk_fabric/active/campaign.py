"""A test from its plan to its last repetition; what moves bytes is handed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sunk_fabric.active.assess import assess
from sunk_fabric.active.isolation import confirming, failing
from sunk_fabric.active.patterns import Flow, Round
from sunk_fabric.active.planning import Plan
from sunk_fabric.active.samples import Gone, Phase, Sample

Transfer = Callable[[int, Phase, Round], Sequence[Sample]]
"""Number of the round, its purpose, its flows -> one sample for each flow."""


def campaign(plan: Plan, effect: float, transfer: Transfer) -> tuple[Sample, ...]:
    """Run every round of a plan, then repeat suspects within its limit; return all samples.

    Hosts that fail with everybody are skipped after three partners: their flows are missing.
    """
    samples: list[Sample] = []
    number = 0
    for flows in plan.rounds:
        number += 1
        dead = failing(samples)
        going = tuple(one for one in flows if dead.isdisjoint(one.ends))
        samples += [_skipped(one, number, dead) for one in flows if not dead.isdisjoint(one.ends)]
        if going:
            samples += transfer(number, Phase.SCREEN, going)
    left = plan.confirm_rounds
    while rounds := confirming(assess(samples, plan.layout, effect), samples, plan.layout, left):
        for flows in rounds:
            number += 1
            samples += transfer(number, Phase.CONFIRM, flows)
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
