"""A plan before anything starts: rounds, what they cost, and what they can find; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sunk.errors import InputError
from sunk_fabric.active import patterns, power
from sunk_fabric.active.layout import Layout
from sunk_fabric.active.patterns import Pattern, Round
from sunk_fabric.active.power import Power

CONFIRM_ROUNDS = 8
"""Most rounds that repeat suspects. Proposal: three each way, and two to spare."""
SEPARABLE_HOSTS = 4
"""With fewer, a host has too few partners to tell it from its links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants tested.

    Attributes:
        pattern: who sends to whom.
        layout: the hosts.
        seconds: longest time of one transfer.
        setup_seconds: time that a round needs beside it.
        max_hosts: most hosts to use; None for all.
        max_minutes: most time; None without a limit.
        price_per_node_hour: None when nobody said.
        currency: of the price.
        effect: share of the rate whose loss is a fault.
        noise: expected standard deviation of a measurement, as a share of the rate.
        each: matchings of each hop class.
        fan_in: senders of an incast.
        seed: decides the order.
    """

    pattern: Pattern
    layout: Layout
    seconds: float
    setup_seconds: float
    max_hosts: int | None = None
    max_minutes: float | None = None
    price_per_node_hour: float | None = None
    currency: str = ""
    effect: float = 0.1
    noise: float = 0.02
    each: int = 4
    fan_in: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of the network the planned flows touch.

    Attributes:
        pairs: ordered pairs that are tested, rails apart.
        pairs_of: ordered pairs that there are.
        host_links: links of hosts that carry a flow each way.
        host_links_of: links of hosts.
        leaves: leaves whose uplinks carry a flow; None when leaves are not known.
        leaves_of: leaves with uplinks.
        uplinks: expected share of the cables above leaves that carry a flow, by fixed routes chosen
            at random; None when not known.
    """

    pairs: int
    pairs_of: int
    host_links: int
    host_links_of: int
    leaves: int | None
    leaves_of: int | None
    uplinks: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done.

    Attributes:
        pattern: who sends to whom.
        layout: the hosts that are used.
        rounds: the flows of each.
        confirm_rounds: most rounds that are added to repeat suspects.
        round_seconds: longest time of one round.
        minutes: longest time of all.
        node_hours: hosts x time.
        cost: None without a price.
        currency: of the cost.
        power: what it can find.
        coverage: what it touches.
        shortened: what limits took away, in words.
        seed: decided the order.
    """

    pattern: Pattern
    layout: Layout
    rounds: tuple[Round, ...]
    confirm_rounds: int
    round_seconds: float
    minutes: float
    node_hours: float
    cost: float | None
    currency: str
    power: Power
    coverage: Coverage
    shortened: tuple[str, ...]
    seed: int


def plan(request: Request) -> Plan:
    """Return the plan that fits a request and its limits.

    Raises:
        InputError: there are not two hosts, or the time is too short for two rounds.
    """
    layout, shortened = _fitting_hosts(request)
    if len(layout.hosts) < 2:
        raise InputError(
            f"plan a test of {len(layout.hosts)} hosts: it takes two",
            hint="name more hosts, or raise --max-nodes",
        )
    rounds = _rounds(request, layout)
    confirm = 0 if request.pattern in {Pattern.BISECTION, Pattern.INCAST} else CONFIRM_ROUNDS
    seconds = request.seconds + request.setup_seconds
    rounds, words = _fitting_rounds(request, rounds, confirm, seconds)
    shortened += words
    minutes = (len(rounds) + confirm) * seconds / 60
    hours = minutes / 60 * len(layout.hosts)
    price = request.price_per_node_hour
    covered = _coverage(layout, rounds)
    return Plan(
        pattern=request.pattern,
        layout=layout,
        rounds=rounds,
        confirm_rounds=confirm,
        round_seconds=seconds,
        minutes=minutes,
        node_hours=hours,
        cost=None if price is None else hours * price,
        currency=request.currency,
        power=_power(request, layout, rounds, covered),
        coverage=covered,
        shortened=shortened,
        seed=request.seed,
    )


def _fitting_hosts(request: Request) -> tuple[Layout, tuple[str, ...]]:
    """Return as many hosts as are allowed, from every leaf in turn."""
    layout, most = request.layout, request.max_hosts
    if most is None or len(layout.hosts) <= most:
        return layout, ()
    rail = layout.rails[0]
    seen: Counter[str] = Counter()
    turns = {}
    for at, host in enumerate(layout.hosts):
        leaf = layout.leaf_of.get((host, rail), "")
        turns[host] = (seen[leaf], at)
        seen[leaf] += 1
    chosen = sorted(layout.hosts, key=lambda one: turns[one])[:most]
    words = f"{most} of {len(layout.hosts)} hosts, from every leaf in turn"
    return layout.only(chosen), (words,)


def _rounds(request: Request, layout: Layout) -> tuple[Round, ...]:
    match request.pattern:
        case Pattern.TOURNAMENT:
            return patterns.tournament(layout, request.seed)
        case Pattern.HOPS:
            return patterns.hop_sample(layout, request.each, request.seed)
        case Pattern.BISECTION:
            return patterns.bisection(layout)
        case Pattern.INCAST:
            most = min(request.each, len(layout.hosts))
            return patterns.incast(layout, request.fan_in, most, request.seed)


def _fitting_rounds(
    request: Request, rounds: tuple[Round, ...], confirm: int, seconds: float
) -> tuple[tuple[Round, ...], tuple[str, ...]]:
    if request.max_minutes is None:
        return rounds, ()
    # The excuse for a rounding error is smaller than any clock.
    room = math.floor(request.max_minutes * 60 / seconds + 1e-9) - confirm
    if room >= len(rounds):
        return rounds, ()
    if room < 2:
        least = math.ceil((confirm + 2) * seconds / 60)
        raise InputError(
            f"plan a test in {request.max_minutes:g} minutes: {confirm + 2} rounds of"
            f" {seconds:g} s do not fit",
            hint=f"allow {least} minutes, or make transfers shorter with --seconds",
        )
    words = f"{room} of {len(rounds)} rounds, as {request.max_minutes:g} minutes allow no more"
    return rounds[:room], (words,)


def _coverage(layout: Layout, rounds: tuple[Round, ...]) -> Coverage:
    flows = {flow for one in rounds for flow in one}
    count = len(layout.hosts)
    senders = {(one.sender, one.rail) for one in flows}
    receivers = {(one.receiver, one.rail) for one in flows}
    leaves = {leaf: count for leaf, count in layout.uplinks.items() if leaf in _held(layout)}
    if not leaves:
        touched, shares = None, None
    else:
        crossing = _crossing(layout, rounds)
        touched = sum(bool(crossing[leaf]) for leaf in leaves)
        total = sum(leaves.values())
        shares = (
            sum(n * power.crossed(n, crossing[leaf]) for leaf, n in sorted(leaves.items())) / total
        )
    return Coverage(
        pairs=len(flows),
        pairs_of=count * (count - 1) * len(layout.rails),
        host_links=len(senders & receivers),
        host_links_of=count * len(layout.rails),
        leaves=touched,
        leaves_of=len(leaves) if leaves else None,
        uplinks=shares,
    )


def _held(layout: Layout) -> set[str]:
    return set(layout.leaf_of.values())


def _crossing(layout: Layout, rounds: tuple[Round, ...]) -> Mapping[str, int]:
    """Return how many different flows leave each leaf upwards; the same flow takes the same way."""
    found: Counter[str] = Counter()
    for flow in {flow for one in rounds for flow in one}:
        if layout.crosses(flow.sender, flow.receiver, flow.rail):
            found[layout.leaf_of[flow.sender, flow.rail]] += 1
    return found


def _power(request: Request, layout: Layout, rounds: tuple[Round, ...], covered: Coverage) -> Power:
    noise, effect = request.noise, request.effect
    sent = Counter((one.sender, one.rail) for each in rounds for one in each)
    least = min((sent[host, rail] for host in layout.hosts for rail in layout.rails), default=0)
    pair = power.found(effect, noise) * covered.pairs / max(covered.pairs_of, 1)
    return Power(
        effect=effect,
        noise=noise,
        host=power.found(effect, power.median_error(noise, least)) if least else 0.0,
        pair=pair,
        uplink=_least_uplink(layout, rounds),
        false_suspect=power.normal(-power.limit(effect, noise) / noise) if noise else 0.0,
    )


def _least_uplink(layout: Layout, rounds: tuple[Round, ...]) -> float | None:
    leaves = {leaf: n for leaf, n in layout.uplinks.items() if leaf in _held(layout)}
    if not leaves:
        return None
    crossing = _crossing(layout, rounds)
    return min(power.crossed(n, crossing[leaf]) for leaf, n in leaves.items())
