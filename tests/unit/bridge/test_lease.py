"""Electors against one API server: at most one leads, whatever happens; another one soon does."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sunk.bridge.fence import NotLeading, fenced_kube
from sunk.bridge.lease import Candidacy, Elector
from sunk.clients.kube.memory import MemoryKube
from sunk.errors import SunkError, Unreachable
from sunk.model.kube import LEASE
from sunk.plan.lease import Timing
from sunk.wiring.bridge import logger
from tests.support.examples import examples
from tests.support.schedule import Schedule

NAMESPACE, LEASE_NAME = "slurm", "l"
QUIET = logger(least=logging.CRITICAL)
TIMING = Timing()
GIVE_UP_SECONDS = 5.0
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def cluster() -> MemoryKube:
    kube = MemoryKube()
    meta = {"name": NAMESPACE}
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    return kube


def candidacy(identity: str) -> Candidacy:
    return Candidacy(namespace=NAMESPACE, name=LEASE_NAME, identity=identity, timing=TIMING)


@dataclass(frozen=True)
class Trip:
    """What becomes of one request: seconds there and back, and whether it gets there at all.

    A pause comes before it is sent, or between answer and return: the process stands still.
    """

    there: float = 0.0
    back: float = 0.0
    lost: bool = False
    pause: float = 0.0
    pause_after: float = 0.0


@dataclass(frozen=True)
class Clock:
    """A clock of one's own: where it began, how fast it runs, and what time of day it shows."""

    begin: float = 0.0
    rate: float = 1.0
    day_rate: float = 1.0


@dataclass
class Far:
    """The API server at the end of a bad line; the part of the protocol that electors use."""

    kube: MemoryKube
    schedule: Schedule
    trips: list[Trip]
    taken: int = 0

    def get(self, *words):
        return self._send(lambda: self.kube.get(*words))

    def create(self, *words):
        return self._send(lambda: self.kube.create(*words))

    def merge(self, *words):
        return self._send(lambda: self.kube.merge(*words))

    def _send(self, question):
        trip = self.trips[self.taken % len(self.trips)] if self.trips else Trip()
        self.taken += 1
        if trip.pause:
            self.schedule.wait(trip.pause)
        answers: list = []

        def arrive():
            try:
                answers.append((question(), None))
            except SunkError as exc:
                answers.append((None, exc))

        if not trip.lost:
            self.schedule.at(self.schedule.now + trip.there, arrive)
        seconds = trip.there + trip.back
        self.schedule.wait(min(seconds, GIVE_UP_SECONDS) if not trip.lost else GIVE_UP_SECONDS)
        if seconds > GIVE_UP_SECONDS or not answers:
            raise Unreachable("no answer", system="kube-apiserver")
        if trip.pause_after:
            self.schedule.wait(trip.pause_after)
        answer, error = answers[0]
        if error is not None:
            raise error
        return answer


@dataclass
class Contender:
    """One bridge's elector, ticking until it is stopped, killed or told to release."""

    name: str
    world: World
    trips: list[Trip] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    alive: bool = True
    stop: bool = False

    def __post_init__(self):
        schedule, clock = self.world.schedule, self.clock
        self.elector = Elector(
            Far(self.world.kube, schedule, self.trips),
            candidacy(self.name),
            monotonic=lambda: clock.begin + clock.rate * schedule.now,
            wall=lambda: START + dt.timedelta(seconds=clock.day_rate * schedule.now),
            log=QUIET,
        )

    def run(self):
        while self.alive and not self.stop:
            delay = self.elector.tick()
            self.world.schedule.wait(delay / self.clock.rate)
        if self.alive:
            self.elector.release()

    def kill(self):
        self.alive = False

    def acts(self) -> bool:
        return self.alive and self.elector.leads()


class World:
    def __init__(self) -> None:
        self.schedule = Schedule()
        self.kube = cluster()
        self.contenders: list[Contender] = []
        self.history: list[tuple[float, str]] = []
        self.deleted_at = float("-inf")

    def join(self, name: str, at: float = 0.0, **how) -> Contender:
        made = Contender(name, self, **how)
        self.contenders.append(made)
        self.schedule.start(made.run, at=at)
        return made

    def note(self) -> None:
        acting = [one.name for one in self.contenders if one.acts()]
        assert len(acting) <= 1, f"at {self.schedule.now} these act: {acting}"
        now = acting[0] if acting else ""
        if not self.history or self.history[-1][1] != now:
            self.history.append((self.schedule.now, now))

    def run(self, until: float) -> list[tuple[float, str]]:
        self.schedule.run(until, self.note)
        return self.history


seconds = st.floats(0, 8, allow_nan=False)
trips = st.builds(
    Trip,
    there=seconds | st.just(0.0),
    back=seconds | st.just(0.0),
    lost=st.sampled_from([False] * 5 + [True]),
    pause=st.sampled_from([0.0] * 6 + [3.0, 12.0, 40.0]),
    pause_after=st.sampled_from([0.0] * 6 + [3.0, 12.0, 40.0]),
)
clocks = st.builds(
    Clock,
    begin=st.floats(-1e6, 1e6),
    rate=st.floats(0.85, 1.15),
    day_rate=st.sampled_from([1.0, 1.0, -1.0, 0.0, 100.0]),
)
happenings = st.lists(
    st.tuples(st.floats(1, 150), st.integers(0, 2), st.sampled_from(["kill", "stop", "delete"])),
    max_size=4,
)


@settings(max_examples=examples(150))
@given(
    st.lists(
        st.tuples(st.lists(trips, max_size=12), clocks, st.floats(0, 20)), min_size=2, max_size=3
    ),
    happenings,
)
def test_at_most_one_acts_whatever_lines_clocks_and_processes_do(lines, events):
    world = World()
    for number, (line, clock, begin) in enumerate(lines):
        world.join(f"c{number}", at=begin, trips=line, clock=clock)
    successors = iter(range(100))
    for at, number, what in events:
        one = world.contenders[number % len(lines)]

        def happen(one=one, what=what):
            if what == "kill":
                one.kill()
                # Who starts just after a person deleted the lease cannot know that there was one.
                begin = max(world.schedule.now, world.deleted_at + 2 * TIMING.lease_seconds)
                world.join(f"s{next(successors)}", at=begin, trips=one.trips)
            elif what == "stop":
                one.stop = True
            else:
                delete(world)

        world.schedule.at(at, happen)
    world.run(200)


def delete(world: World) -> None:
    """A person deletes the lease, when everybody has seen it."""
    sighted = [one.elector._seen for one in world.contenders if one.alive]
    there = world.kube.list(LEASE, NAMESPACE)
    if there and all(seen is not None and seen.record is not None for seen in sighted):
        world.kube.delete(LEASE, LEASE_NAME, NAMESPACE)
        world.deleted_at = world.schedule.now


def test_one_of_three_leads_and_keeps_on():
    world = World()
    for name in "abc":
        world.join(name)
    history = world.run(600)
    assert [who for _, who in history if who] == [history[-1][1]]


def test_killed_leader_is_followed_within_lease_and_retry():
    world = World()
    leader = world.join("a")
    world.join("b", at=1)
    world.schedule.at(101, leader.kill)
    history = world.run(200)
    assert [who for _, who in history] == ["", "a", "", "b"] or [who for _, who in history] == [
        *("a", "", "b"),
    ]
    taken_at = history[-1][0]
    # It was renewed last before the kill and seen within a retry; then its time runs, and a retry.
    assert 101 + 10 < taken_at <= 101 + TIMING.lease_seconds + 2 * TIMING.retry_seconds


def test_lease_that_was_given_back_is_taken_within_a_retry():
    world = World()
    leader = world.join("a")
    world.join("b", at=1)
    world.schedule.at(100.5, lambda: setattr(leader, "stop", True))
    history = world.run(200)
    (released_at,) = [at for at, who in history if not who and at > 100]
    assert history[-1][1] == "b"
    assert history[-1][0] - released_at <= TIMING.retry_seconds


def test_answer_that_comes_late_does_not_lengthen_a_term():
    world = World()
    world.join("a", trips=[Trip()] * 40 + [Trip(), Trip(pause_after=30), *[Trip(lost=True)] * 99])
    world.join("b", at=1)
    history = world.run(100)
    assert [who for _, who in history if who] == ["a", "b"]


def test_leader_that_is_cut_off_stops_before_another_starts():
    world = World()
    line = [Trip()] * 40 + [Trip(lost=True)] * 1000
    world.join("a", trips=line)
    world.join("b", at=1)
    history = world.run(200)
    (stopped,) = [at for at, who in history if not who and at > 10]
    assert [who for _, who in history if who] == ["a", "b"]
    assert history[-1][0] - stopped >= 4


def test_lease_that_somebody_deleted_does_not_make_two_leaders():
    world = World()
    world.join("a", trips=[Trip()] * 20 + [Trip(lost=True)] * 4 + [Trip()] * 1000)
    world.join("b", at=1)
    world.schedule.at(20, lambda: world.kube.delete(LEASE, LEASE_NAME, NAMESPACE))
    assert {who for _, who in world.run(100) if who} <= {"a", "b"}


def test_lease_that_was_taken_and_deleted_before_its_old_holder_looked_is_not_taken_for_its_own():
    world = World()
    # Its day does not go on, so that its renewals say nothing new; the other takes over at 19 s,
    # hears of it at 21 s, and in between somebody deletes the lease.
    world.join("a", clock=Clock(day_rate=0))
    world.join("b", at=1, trips=[Trip(back=2)])
    world.schedule.at(20, lambda: delete(world))
    assert {who for _, who in world.run(100) if who} == {"a", "b"}


def test_lease_says_who_leads_since_when_and_how_often_that_changed():
    world = World()
    leader = world.join("a")
    world.join("b", at=1)
    world.schedule.at(9, lambda: setattr(leader, "stop", True))
    world.run(30)
    spec = world.kube.get(LEASE, LEASE_NAME, NAMESPACE)["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("b", 15)
    assert spec["leaseTransitions"] == 1
    assert spec["acquireTime"] < spec["renewTime"]


def an_elector(kube, now: list[float], name: str = "a") -> Elector:
    return Elector(
        kube,
        candidacy(name),
        monotonic=lambda: now[0],
        wall=lambda: START + dt.timedelta(seconds=now[0]),
        log=QUIET,
    )


def test_leadership_that_lapsed_and_came_back_is_another_term():
    kube, now = cluster(), [0.0]
    elector = an_elector(kube, now)
    elector.tick()
    first = elector.term
    now[0] = 9
    elector.tick()
    assert (elector.term, elector.leads(first)) == (first, True)
    now[0] = 30
    assert not elector.leads()
    elector.tick()
    assert elector.leads()
    assert not elector.leads(first)


def test_renewal_in_the_same_words_does_not_count():
    kube, now = cluster(), [0.0]
    elector = an_elector(kube, now)
    elector._wall = lambda: START
    elector.tick()
    now[0] = 8
    elector.tick()
    now[0] = 11
    assert not elector.leads()


def test_fence_lets_reads_pass_and_holds_writes_back_once_leadership_ends():
    kube, now = cluster(), [0.0]
    elector = an_elector(kube, now)
    elector.tick()
    term = elector.term
    fenced = fenced_kube(kube, lambda: elector.leads(term))
    meta = {"name": "m", "namespace": NAMESPACE}
    fenced.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    now[0] = 10
    with pytest.raises(NotLeading, match="apply: this bridge leads no more"):
        fenced.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    assert fenced.version() == kube.version()
