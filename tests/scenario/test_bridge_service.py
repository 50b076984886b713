"""The service around the bridge: leads, stands by, hands over, waits, ends; threads, our clock."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from dataclasses import dataclass, field

import pytest

from sunk.bridge import service as module
from sunk.bridge.fence import NotLeading, fenced_kube
from sunk.bridge.health import Board
from sunk.bridge.lease import Candidacy, Elector
from sunk.bridge.metrics import Metrics
from sunk.bridge.service import Service
from sunk.clients.kube.memory import MemoryKube
from sunk.errors import ConfigError
from sunk.model.kube import CONFIG_MAP, LEASE
from sunk.plan.lease import Timing
from sunk.wiring.bridge import logger
from tests.support.eventually import eventually

QUIET = logger(least=logging.CRITICAL)
NAMESPACE = "slurm"
TIMING = Timing(retry_seconds=0.01)
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def soon(predicate):
    return eventually(predicate, 30)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "BUILD_AGAIN_SECONDS", 0.01)


@dataclass
class Rounds:
    """A bridge that writes its name into a ConfigMap at the end of its last round."""

    world: World
    name: str
    may: object
    over: threading.Event | None = None
    held: threading.Event = field(default_factory=threading.Event)

    def serve(self, stop):
        self.over = stop
        stop.wait()
        if self.world.hold:
            assert self.held.wait(30)
        fenced_kube(self.world.kube, self.may).apply(config_map(self.name))


def config_map(text: str):
    meta = {"name": "last", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"by": text}}


class World:
    def __init__(self) -> None:
        self.kube = MemoryKube()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.kube.create(namespace)
        self.now = 0.0
        self.stamp = 0
        self.hold = False
        self.running: list[Running] = []

    def wall(self) -> dt.datetime:
        self.stamp += 1
        return START + dt.timedelta(microseconds=self.stamp)

    def start(self, name: str, *, elect: bool = True) -> Running:
        made = Running(self, name, elect=elect)
        self.running.append(made)
        made.thread.start()
        return made

    def holder(self) -> str:
        return self.kube.get(LEASE, "l", NAMESPACE)["spec"].get("holderIdentity") or ""

    def last_write(self) -> str:
        found = self.kube.list(CONFIG_MAP, NAMESPACE)
        return found[0]["data"]["by"] if found else ""


class Running:
    """A service in a thread."""

    def __init__(self, world: World, name: str, *, elect: bool) -> None:
        self.world, self.name = world, name
        self.stop = threading.Event()
        self.terms: list[Rounds] = []
        self.missing = ""
        self.board = Board(lambda: world.now)
        self.metrics = Metrics()
        self.failure: BaseException | None = None
        self.elector = Elector(
            world.kube,
            Candidacy(namespace=NAMESPACE, name="l", identity=name, timing=TIMING),
            monotonic=lambda: world.now,
            wall=world.wall,
            log=QUIET,
        )
        elector = self.elector if elect else None
        self.service = Service(self.build, self.board, self.metrics, QUIET, elector=elector)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            self.service.run(self.stop)
        except Exception as exc:  # noqa: BLE001 - the test looks at it
            self.failure = exc

    def build(self, may):
        if self.missing:
            raise ConfigError(self.missing)
        self.terms.append(Rounds(self.world, self.name, may))
        return self.terms[-1]

    def serving(self) -> bool:
        return bool(self.terms) and (over := self.terms[-1].over) is not None and not over.is_set()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def world():
    made = World()
    yield made
    for one in made.running:
        for term in one.terms:
            term.held.set()
        one.end()


def leader_of(running: Running) -> bool:
    return b"sunk_bridge_leader 1.0" in running.metrics.text()


def test_without_election_it_serves_until_it_is_stopped(world):
    only = world.start("a", elect=False)
    soon(only.serving)
    assert leader_of(only)
    only.end()
    assert world.last_write() == "a"
    assert only.failure is None


def test_second_one_stands_by_ready_and_leads_once_the_first_has_ended(world):
    first = world.start("a")
    soon(first.serving)
    second = world.start("b")
    soon(lambda: second.board.why_not_ready() == "")
    assert (second.terms, leader_of(first), leader_of(second)) == ([], True, False)
    first.end()
    assert (first.failure, world.last_write()) == (None, "a")
    soon(second.serving)
    assert world.holder() == "b"


def test_lease_is_kept_until_the_last_round_has_ended(world):
    world.hold = True
    first = world.start("a")
    soon(first.serving)
    second = world.start("b")
    first.stop.set()
    soon(first.terms[0].over.is_set)
    soon(lambda: second.board.why_not_ready() == "")
    assert (world.holder(), second.terms) == ("a", [])
    first.terms[0].held.set()
    soon(second.serving)
    assert world.last_write() == "a"


def take_away(world: World, holder: str | None) -> None:
    world.kube.merge(LEASE, "l", {"spec": {"holderIdentity": holder}}, NAMESPACE)


def test_lost_lease_ends_the_round_without_another_write_and_a_new_term_has_a_new_bridge(world):
    one = world.start("a")
    soon(one.serving)
    take_away(world, "somebody")
    soon(lambda: not one.serving() and not leader_of(one))
    assert world.last_write() == ""
    assert one.thread.is_alive()
    take_away(world, None)
    soon(lambda: len(one.terms) == 2 and one.serving())
    with pytest.raises(NotLeading):
        fenced_kube(world.kube, one.terms[0].may).apply(config_map("old"))


def test_api_server_that_does_not_answer_ends_the_term_in_time(world):
    one = world.start("a")
    soon(one.serving)
    world.kube.get = lambda *_: (_ for _ in ()).throw(ConnectionProblem)
    world.now += TIMING.renew_within_seconds
    soon(lambda: not one.serving())
    del world.kube.get
    soon(lambda: len(one.terms) == 2 and one.serving())


ConnectionProblem = NotLeading("get")
"""Any error of another system."""


def test_bridge_that_cannot_read_or_write_the_lease_is_not_ready(world):
    world.kube.create = lambda *_: (_ for _ in ()).throw(ConnectionProblem)
    one = Running(world, "a", elect=True)
    asked = []
    leads = one.elector.leads
    one.elector.leads = lambda *words: asked.append(0) or leads(*words)
    one.thread.start()
    soon(lambda: one.elector._told and len(asked) > 3)
    one.end()
    assert one.board.why_not_ready() == "no round was completed yet"


def test_cluster_that_is_not_there_yet_is_waited_for_and_no_fault(world):
    one = Running(world, "a", elect=True)
    one.missing = "find the Slurm cluster: none"
    world.running.append(one)
    one.thread.start()
    soon(lambda: one.board.why_not_ready() == "")
    assert one.terms == []
    one.missing = ""
    soon(one.serving)


def test_it_can_be_ended_while_it_waits_for_a_cluster(world):
    one = Running(world, "a", elect=True)
    one.missing = "find the Slurm cluster: none"
    world.running.append(one)
    one.thread.start()
    soon(lambda: leader_of(one))
    one.end()
    assert (one.failure, world.holder()) == (None, "")


def test_bug_in_the_campaign_ends_the_service_with_that_error(world):
    one = Running(world, "a", elect=True)
    one.elector.tick = lambda: 1 // 0
    one.thread.start()
    one.thread.join(30)
    assert isinstance(one.failure, ZeroDivisionError)


def test_bug_in_a_round_ends_the_service_with_that_error_and_gives_the_lease_back(world):
    one = Running(world, "a", elect=True)
    one.build = None
    one.service._build = lambda _may: 1 // 0
    one.thread.start()
    one.thread.join(30)
    assert isinstance(one.failure, ZeroDivisionError)
    assert world.holder() == ""


def test_every_write_is_a_sign_of_life(world):
    one = world.start("a", elect=False)
    soon(one.serving)
    world.now += 500
    assert one.board.why_not_alive() != ""
    assert one.terms[0].may()
    assert one.board.why_not_alive() == ""
