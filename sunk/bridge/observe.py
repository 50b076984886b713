"""Ask Kubernetes and Slurm, and say how far the answers can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from sunk.bridge.patience import Asker
from sunk.bridge.snapshot import loads_of, with_answers, worker_pod
from sunk.bridge.waking import THE_TIME_CAME, Woken
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.errors import NotFound, RemoteError
from sunk.model.kube import NODE, POD, KubeNode, Pod
from sunk.model.slurm import Job, Listing, NodeName, SlurmNode
from sunk.model.workers import Load, Snapshot, Trust, WorkerSet
from sunk.plan.actions import (
    CreatePod,
    DeletePod,
    DeleteRecord,
    Drain,
    NoteMachine,
    Resume,
    TakeDown,
    WorkersAction,
)
from sunk.plan.trust import Belief, Limits, Reading, learn, trust
from sunk.wellknown import CONTROLLER_POD, LABEL_MANAGED_BY, LABEL_NAME

Item = TypeVar("Item", Pod, KubeNode, SlurmNode)
SlurmOf = Callable[[], SlurmClient]
"""Gives the client of slurmrestd, or raises a RemoteError while there is none yet."""

OURS = f"{LABEL_MANAGED_BY}=sunk"
"""Selector of a Slurm cluster's Pods in their namespace."""
WORKER = "slurmd"
"""Label `LABEL_NAME` of worker Pods."""
SLURM_SECONDS = 3.0
"""How long a round waits for slurmrestd; it waits half a minute itself for an absent slurmctld."""
LIST_SECONDS = 1.0
"""How long a list serves while nothing tells of a change in what it holds, other than ours."""
REREAD_MAX = 20
"""So many records are read one by one; beyond that, one full list is cheaper."""
FORGOTTEN_AFTER_SECONDS = 60.0
"""How long slurmd may be ready in its Pod without Slurm knowing the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One look at everything.

    Attributes:
        snapshot: for planners.
        pods: our worker Pods, with the conditions they have.
    """

    snapshot: Snapshot
    pods: tuple[Pod, ...]


@dataclass(slots=True)
class _Kept(Generic[Item]):
    """The last answer to one question, and what is believed of it."""

    items: tuple[Item, ...] = ()
    belief: Belief = field(default_factory=Belief)

    def expect_gone(self, names: frozenset[str]) -> None:
        """Do not be surprised when these are missing in the next answer: we removed them."""
        believed = self.belief.believed
        if believed is not None and names & believed.names:
            less = replace(believed, names=believed.names - names)
            self.belief = replace(self.belief, believed=less)

    def ask(
        self,
        question: Callable[[], Iterable[Item]],
        now: float,
        limits: Limits,
        *,
        run: str = "",
        server_time: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Ask, and learn from the answer; who answered is compared with who did before."""
        try:
            self.items = tuple(question())
        except RemoteError as exc:
            self.belief = learn(self.belief, Reading(at=now, failure=exc.message), limits)
            return
        names = frozenset(one.name for one in self.items)
        reading = Reading(at=now, names=names, run=run, server_time=server_time())
        self.belief = learn(self.belief, reading, limits)


class Observer:
    """Looks at one Slurm cluster and its Kubernetes; keeps the last answers.

    Args:
        kube: Kubernetes.
        slurm: gives slurmrestd.
        namespace: where the Slurm cluster is.
        limits: what makes an answer suspect.
    """

    def __init__(self, kube: Kube, slurm: SlurmOf, namespace: str, limits: Limits) -> None:
        self._kube = kube
        self._slurm = slurm
        self._namespace = namespace
        self._limits = limits
        self._pods: _Kept[Pod] = _Kept()
        self._nodes: _Kept[KubeNode] = _Kept()
        self._records: _Kept[SlurmNode] = _Kept()
        self._loads: dict[NodeName, Load] = {}
        self._unknown_since: dict[tuple[NodeName, str], float] = {}
        self._as_of = 0
        self._listed_at = float("-inf")
        self._acted: set[NodeName] = set()
        self._pods_acted = False
        self._pods_listed_at = float("-inf")
        self._said_at: int | None = None
        self._controller = ""
        self._ask_nodes: Asker[Listing[SlurmNode] | None] = Asker("slurmrestd", SLURM_SECONDS)
        self._ask_again: Asker[tuple[SlurmNode, ...]] = Asker("slurmrestd", SLURM_SECONDS)
        self._ask_for_jobs: Asker[tuple[Job, ...]] = Asker("slurmrestd", SLURM_SECONDS)

    def machines(self, now: float, woken: Woken = THE_TIME_CAME) -> tuple[KubeNode, ...]:
        """Ask for the Kubernetes Nodes, and return the last answer that came.

        Args:
            now: seconds of a clock that never goes back.
            woken: what the answer has to include.
        """
        told = woken.versions.get(NODE)
        self._nodes.ask(lambda: self._kube.nodes(at_least=told), now, self._limits)
        return self._nodes.items

    def look(self, now: float, sets: tuple[WorkerSet, ...], woken: Woken = THE_TIME_CAME) -> Sight:
        """Ask for the rest, once; an answer that does not come is part of the result.

        Args:
            now: seconds of a clock that never goes back.
            sets: what is wanted; jobs are asked for only when somebody has to go.
            woken: what the answer has to include.
        """
        limits = self._limits
        if not (woken.by == {NODE} and self._pods_will_do(now)):
            self._read_pods(now, woken)
        if not (woken.by_workers and self._records_will_do(now)):
            self._records.ask(
                lambda: self._read_records(now),
                now,
                limits,
                run=self._controller,
                server_time=lambda: self._said_at,
            )
        failure = ""
        if _somebody_leaves(sets, self._pods.items):
            failure = self._ask_jobs()
        slurm_trust = trust(self._records.belief, now, limits)
        if failure and slurm_trust.ok:
            slurm_trust = Trust(why_not=failure)
        trusted = Snapshot(
            sets=sets,
            pods_trust=trust(self._pods.belief, now, limits),
            kube_nodes={one.name: one for one in self._nodes.items},
            kube_nodes_trust=trust(self._nodes.belief, now, limits),
            slurm_trust=slurm_trust,
            loads=self._loads,
        )
        snapshot = with_answers(trusted, self._pods.items, self._records.items)
        return Sight(snapshot=self._with_forgotten(snapshot, now), pods=self._pods.items)

    def after(self, done: Iterable[WorkersAction]) -> None:
        """Take note of what we did: it is to be seen, not assumed, and not to be wondered at."""
        done = tuple(done)
        ours = (CreatePod, DeletePod, NoteMachine)
        self._pods_acted = any(isinstance(one, ours) for one in done)
        if all(isinstance(one, Drain | Resume | TakeDown | NoteMachine) for one in done):
            self._acted |= {one.node for one in done if not isinstance(one, NoteMachine)}
        else:
            self._as_of, self._listed_at = 0, float("-inf")  # the whole list next time
        pods = (str(one.node) for one in done if isinstance(one, DeletePod))
        records = (str(one.node) for one in done if isinstance(one, DeleteRecord))
        self._pods.expect_gone(frozenset(pods))
        self._records.expect_gone(frozenset(records))

    def _workers(self, at_least: str | None) -> Iterator[Pod]:
        """Ask for the worker Pods, and learn on the way which run of slurmctld there is."""
        for pod in self._kube.pods(self._namespace, OURS, at_least=at_least):
            if pod.name == CONTROLLER_POD:
                self._controller = f"{pod.uid}/{pod.restarts}"
            elif pod.labels.get(LABEL_NAME) == WORKER:
                yield pod

    def _read_pods(self, now: float, woken: Woken) -> None:
        # What we did to Pods ourselves must be seen too, and no watch may have told it yet.
        told = None if self._pods_acted else woken.versions.get(POD)
        self._pods.ask(lambda: self._workers(told), now, self._limits)
        if trust(self._pods.belief, now, self._limits).ok:
            self._pods_acted, self._pods_listed_at = False, now

    def _pods_will_do(self, now: float) -> bool:
        """Return whether Pods were listed a moment ago, and we did nothing to them since."""
        fresh = now - self._pods_listed_at < LIST_SECONDS and not self._pods_acted
        return fresh and trust(self._pods.belief, now, self._limits).ok

    def _records_will_do(self, now: float) -> bool:
        """Return whether the list of records is so new that a change in Kubernetes needs no other.

        What is decided on it is read again, node by node, before it is done.
        """
        fresh = now - self._listed_at < LIST_SECONDS and not self._acted
        return fresh and trust(self._records.belief, now, self._limits).ok

    def _read_records(self, now: float) -> tuple[SlurmNode, ...]:
        """Return the records; soon after a full list only those that we changed are read again.

        A cordon among a thousand nodes would otherwise wait for the list that the one before it
        caused. What is decided on the older ones is read again before it is done.
        """
        fresh = now - self._listed_at < LIST_SECONDS
        if fresh and self._acted and len(self._acted) <= REREAD_MAX:
            try:
                return self._with_acted()
            except NotFound:
                pass  # deleted by somebody: the list tells
        since = self._as_of
        listing = self._ask_nodes.ask(lambda: self._slurm().nodes_since(since))
        self._listed_at = now
        self._acted.clear()
        if listing is None:
            return self._records.items
        self._as_of = self._said_at = listing.as_of
        return listing.items

    def _with_acted(self) -> tuple[SlurmNode, ...]:
        names = sorted(self._acted)
        again = self._ask_again.ask(lambda: tuple(self._slurm().node(name) for name in names))
        changed = {one.name: one for one in again}
        return tuple(changed.get(one.name, one) for one in self._records.items)

    def _ask_jobs(self) -> str:
        """Read who runs where; returns why that failed, or nothing."""
        try:
            self._loads = loads_of(self._ask_for_jobs.ask(lambda: self._slurm().jobs()))
        except RemoteError as exc:
            return exc.message
        return ""

    def _with_forgotten(self, seen: Snapshot, now: float) -> Snapshot:
        """Add the workers that run and that Slurm has not known for too long."""
        if not (seen.slurm_trust.ok and seen.pods_trust.ok):
            self._unknown_since = {}
            return seen
        ready = {pod.name for pod in self._pods.items if pod.ready}
        unknown = {
            (pod.name, pod.uid)
            for pod in seen.pods
            if pod.name in ready and pod.name not in seen.records and not pod.deleting
        }
        self._unknown_since = {one: self._unknown_since.get(one, now) for one in unknown}
        forgotten = frozenset(
            name
            for (name, _), since in self._unknown_since.items()
            if now - since >= FORGOTTEN_AFTER_SECONDS
        )
        return replace(seen, forgotten=forgotten) if forgotten else seen


def _somebody_leaves(sets: Iterable[WorkerSet], pods: Iterable[Pod]) -> bool:
    workers = [found for pod in pods if (found := worker_pod(pod)) is not None]
    for one in sets:
        mine = [pod for pod in workers if pod.node_set == one.name]
        if one.surplus(mine) or any(pod.revision != one.revision for pod in mine):
            return True
    return False
