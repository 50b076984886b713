"""A network in memory that active tests are run on: capacities, losses, cuts and noise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from sunk.model.topology import Link, Switch, Topology, TopologyNode
from sunk_fabric.active.assess import assess
from sunk_fabric.active.campaign import campaign
from sunk_fabric.active.layout import layout_of
from sunk_fabric.active.patterns import Flow, Pattern, Round
from sunk_fabric.active.planning import Plan, Request, plan
from sunk_fabric.active.samples import Gone, Path, Phase, Sample

PATH = Path(device="eth0", mtu_bytes=1500, peer_mtu_bytes=1500, congestion="cubic")


@dataclass
class World:
    """What each host and pair can do, relative to 1 Gb/s."""

    sends: dict[str, float] = field(default_factory=dict)
    receives: dict[str, float] = field(default_factory=dict)
    pairs: dict[tuple[str, str], float] = field(default_factory=dict)
    losses: dict[tuple[str, str], float] = field(default_factory=dict)
    trips: dict[tuple[str, str], float] = field(default_factory=dict)
    """Round trips, in microseconds, where not the usual 1000."""
    once: dict[tuple[str, str], float] = field(default_factory=dict)
    """Rates of the first transfer of a pair only."""
    cut: set[str] = field(default_factory=set)
    uplinks: dict[tuple[str, str], float] = field(default_factory=dict)
    """What a pair of different leaves gets at most, by way (`sends`, `receives`) and leaf."""
    cross: float = 1.0
    """What pairs of different leaves get."""
    noise: float = 0.01
    seed: int = 0
    evidence: str = "0" * 12
    rounds: list[Round] = field(default_factory=list)

    def __post_init__(self):
        self._random = random.Random(self.seed)
        self._hop = lambda _flow: 0
        self._leaf_of = {}

    def transfer(self, number: int, phase: Phase, flows: Round) -> Sequence[Sample]:
        self.rounds.append(flows)
        return [self._sample(number, phase, flow) for flow in flows]

    def skip(self, samples: Sequence[Sample]) -> None:
        pass

    def _sample(self, number: int, phase: Phase, flow: Flow) -> Sample:
        common = {"flow": flow, "round": number, "phase": phase, "evidence": self.evidence}
        if self.cut & set(flow.ends):
            return Sample(**common, gbit_per_s=None, gone=Gone.CUT, trouble="connect: No route")
        rate = min(
            self.sends.get(flow.sender, 1.0),
            self.receives.get(flow.receiver, 1.0),
            self.pairs.get(flow.ends, 1.0),
            self.once.pop(flow.ends, 1.0),
            self.cross if self._hop(flow) > 0 else 1.0,
            self._beyond(flow),
        )
        rate *= 1 + self._random.gauss(0, self.noise)
        loss = self.losses.get(flow.ends, 0.001)
        trip = self.trips.get(flow.ends, 1000.0)
        return Sample(**common, gbit_per_s=rate, retransmit_share=loss, rtt_us=trip, path=PATH)

    def _beyond(self, flow: Flow) -> float:
        if self._hop(flow) <= 0:
            return 1.0
        ends = (("sends", flow.sender), ("receives", flow.receiver))
        return min(
            self.uplinks.get((way, self._leaf_of.get((host, ""))), 1.0) for way, host in ends
        )

    def run(self, made: Plan, effect: float = 0.2):
        """Run a plan here, and return the assessment."""
        self._hop = lambda flow: made.layout.hop(flow.sender, flow.receiver, flow.rail)
        self._leaf_of = made.layout.leaf_of
        samples = campaign(made, effect, self)
        return assess(samples, made.layout, effect)


def hosts(count: int) -> tuple[str, ...]:
    return tuple(f"h{at}" for at in range(count))


def two_level(leaves: int, each: int, spines: int = 2) -> Topology:
    """A topology with `each` hosts below every leaf and one cable to every spine."""
    names = hosts(leaves * each)
    return Topology(
        name="hall",
        nodes=tuple(TopologyNode(name=one) for one in names),
        switches=(
            *(Switch(name=f"leaf{at}", tier=0) for at in range(leaves)),
            *(Switch(name=f"spine{at}", tier=1) for at in range(spines)),
        ),
        links=(
            *(Link(lower=one, upper=f"leaf{at // each}") for at, one in enumerate(names)),
            *(
                Link(lower=f"leaf{leaf}", upper=f"spine{spine}", count=1)
                for leaf in range(leaves)
                for spine in range(spines)
            ),
        ),
    )


def made_plan(
    count: int = 8, pattern: Pattern = Pattern.TOURNAMENT, topology=None, **words
) -> Plan:
    """A plan of `count` hosts."""
    layout = layout_of(hosts(count), topology)
    request = {"seconds": 1.0, "setup_seconds": 1.0, "effect": 0.2, "noise": 0.02} | words
    return plan(Request(pattern=pattern, layout=layout, **request))
