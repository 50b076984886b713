"""What the forwarding tables of the switches do: lead everywhere, spread, and never lock up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import missing, said, sound, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import dump_lfts, ibdmchk, ibnetdiscover
from sunk_fabric.topology.fabric import Fabric
from sunk_fabric.topology.routes import Routes, Uplinks

UNEVEN, FAR_UNEVEN = 1.25, 1.5
"""Most over mean of the destinations on a switch's uplinks. Proposal."""


def _asked(facts: Facts, judge: Callable[[Routes, Fabric], Iterable[Answer]]) -> Iterator[Answer]:
    """Ask about whole tables of a whole scan; without either nothing is known."""
    scan = facts.scan
    tables: tuple[Reading[Any], ...] = facts.tables
    if scan is None or not tables:
        yield missing(*((ibnetdiscover.parse,) if scan is None else (dump_lfts.parse,)))
        return
    readings: tuple[Reading[Any], ...] = (scan, *tables)
    for reading in readings:
        wrong = trouble(reading)
        if wrong:
            yield said(Verdict.UNKNOWN, wrong, subjects.FABRIC, reading)
            return
    if facts.audit is None or not facts.audit.fabric.hcas:
        yield said(Verdict.UNKNOWN, "the scan has no adapter", subjects.FABRIC, scan)
        return
    routes, fabric = facts.routes, facts.audit.fabric
    assert routes is not None
    if routes.switches < len(fabric.switches):
        words = f"tables of {routes.switches} of {len(fabric.switches)} switches"
        yield said(Verdict.UNKNOWN, words, subjects.FABRIC, scan, *tables)
        return
    yield from judge(routes, fabric)


def _said(facts: Facts, verdict: Verdict, words: str, *touches: str, remedy: str = "") -> Answer:
    assert facts.scan is not None
    readings: tuple[Reading[Any], ...] = (facts.scan, *facts.tables)
    return said(verdict, words, subjects.FABRIC, *readings, touches=touches, remedy=remedy)


def reach(facts: Facts) -> Iterator[Answer]:
    """From every switch with hosts to every adapter, and not in circles."""

    def judge(routes: Routes, fabric: Fabric) -> Iterator[Answer]:
        for count, examples, how in (
            (routes.unreachable_count, routes.unreachable, "end nowhere"),
            (routes.circle_count, routes.circles, "go in circles"),
        ):
            if count:
                low, target = examples[0]
                words = (
                    f"{count} ways from leaves to adapters {how}, such as from"
                    f" {fabric.name(low)} to {fabric.name(target)}"
                )
                touches = sorted({fabric.subject(one) for pair in examples for one in pair})
                yield _said(facts, Verdict.FAIL, words, *touches)
        for guid in routes.untold:
            words = (
                f"the tables leave out the LID of {fabric.name(guid)}, the last one: take the dump"
                " of opensm itself, opensm-lfts.dump"
            )
            yield _said(facts, Verdict.UNKNOWN, words, fabric.subject(guid))
        if not routes.unreachable_count and not routes.circle_count and routes.pairs:
            longest = max(routes.hops)
            words = f"{routes.adapters} adapters, {longest} switches on the longest way"
            yield _said(facts, Verdict.PASS, words)

    yield from _asked(facts, judge)


def _half_followed(facts: Facts, routes: Routes) -> Iterator[Answer]:
    """Say nothing about routes that could not be followed to their end."""
    lost = routes.unreachable_count + routes.circle_count
    if lost:
        yield _said(facts, Verdict.UNKNOWN, f"{lost} ways do not arrive: see ib.lft.reach")


def balance(facts: Facts) -> Iterator[Answer]:
    """As many destinations on one uplink of a switch as on another."""

    def judge(routes: Routes, fabric: Fabric) -> Iterator[Answer]:
        unknown = tuple(_half_followed(facts, routes))
        if unknown:
            yield from unknown
            return
        if not routes.uplinks:
            yield _said(facts, Verdict.SKIP, "one level: no switch has an uplink")
            return
        worst = max(routes.uplinks, key=lambda one: (one.imbalance, one.switch))
        uneven = [one for one in routes.uplinks if one.imbalance > UNEVEN]
        words = _words(worst, fabric)
        if not uneven:
            yield _said(facts, Verdict.PASS, words)
            return
        verdict = Verdict.FAIL if worst.imbalance > FAR_UNEVEN else Verdict.WARN
        words = f"{len(uneven)} of {len(routes.uplinks)} switches are uneven; {words}"
        yield _said(facts, verdict, words, *(fabric.subject(one.switch) for one in uneven))

    yield from _asked(facts, judge)


def _words(one: Uplinks, fabric: Fabric) -> str:
    mean = sum(one.destinations.values()) / len(one.destinations)
    return (
        f"at most {one.imbalance:.2f} of the mean: {fabric.name(one.switch)} port {one.busiest}"
        f" has {one.destinations[one.busiest]} destinations, {mean:.1f} on average"
    )


def deadlock(facts: Facts) -> Iterator[Answer]:
    """No circle of cables that wait for each other's credits; ibdmchk is a second witness."""
    witnesses = sound(facts, ibdmchk.parse)
    against = [one for one in witnesses if one.parsed.value.loops]
    if against:
        words = "ibdmchk finds a circle of cables that wait for each other"
        yield said(Verdict.FAIL, words, subjects.FABRIC, *against)
        return
    if witnesses and not facts.tables:
        pairs = witnesses[0].parsed.value.pairs
        words = f"ibdmchk finds no circle among the ways of {pairs} pairs of adapters"
        yield said(Verdict.PASS, words, subjects.FABRIC, *witnesses)
        return

    def judge(routes: Routes, fabric: Fabric) -> Iterator[Answer]:
        unknown = tuple(_half_followed(facts, routes))
        if unknown and not routes.deadlock:
            yield from unknown
            return
        if not routes.deadlock:
            words = f"no circle among the ways to {routes.adapters} adapters"
            yield _said(facts, Verdict.PASS, words)
            return
        places = ", ".join(fabric.place(end) for end in routes.deadlock[:6])
        more = len(routes.deadlock) - 6
        words = f"{len(routes.deadlock)} cables can wait for each other for ever: {places}"
        words += f" and {more} more" if more > 0 else ""
        touches = sorted({fabric.subject(end.guid) for end in routes.deadlock})
        yield _said(facts, Verdict.FAIL, words, *touches)

    yield from _asked(facts, judge)
