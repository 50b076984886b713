"""The bridge's loop: look, plan, act, write status; woken by changes, and once a second anyway.

Everything that is decided is decided in `sunk.plan`. The loop keeps no truth of its own: whatever
it forgets when it is killed it reads again, and a plan that was cut short is made anew.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from structlog.typing import FilteringBoundLogger

from sunk.bridge.apply import Applier, Outcome
from sunk.bridge.daemons import Daemons, Standing
from sunk.bridge.events import events_of
from sunk.bridge.lifetimes import hold_new, let_go
from sunk.bridge.observe import Observer, Sight
from sunk.bridge.people import People
from sunk.bridge.resource_status import (
    cluster_status,
    node_set_status,
    refused_status,
    speaks_of_now,
    to_write,
)
from sunk.bridge.status import (
    changed_machines,
    changed_pods,
    write_conditions,
    write_machine_condition,
)
from sunk.bridge.waking import THE_TIME_CAME, Alarm, Woken, is_news, sleep_seconds
from sunk.bridge.wishes import Makings, Wishes, WishReader
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.errors import NotFound, RemoteError, Unreachable
from sunk.model.cluster import NodeShape, slurm_shape
from sunk.model.kube import NODE, NODE_SET, POD, SLURM_CLUSTER, Kind, KubeObject, name_of
from sunk.model.slurm import NodeName
from sunk.plan.budget import Budget, allowance, remembered
from sunk.plan.trust import Limits
from sunk.plan.workers import Waiting, plan_workers
from sunk.render.keys import ClusterKeys

PERIOD_SECONDS = 1.0
"""How often the loop looks when nothing wakes it; an unchanged Slurm answers with 304."""
UNKNOWN_AFTER_SECONDS = 30.0
"""How long Slurm may be in doubt before Pods stop showing what was last known."""
DRY_RUN = "dry run"
"""Why an action was not done that was not to be."""
_WATCH_SECONDS = 60
_BACKOFF_SECONDS = 2.0

Clock = Callable[[], float]
ConnectSlurm = Callable[[ClusterKeys], SlurmClient]
"""Gives a client of the namespace's slurmrestd that signs with the cluster's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the bridge works.

    Attributes:
        namespace: where the Slurm cluster is.
        budget: how much it may disturb.
        limits: what makes an answer suspect.
        node_conditions: show drains that people made in Slurm on Kubernetes Nodes too.
        dry_run: decide and say, and change nothing.
    """

    namespace: str
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    node_conditions: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did.

    Attributes:
        outcomes: of the actions, in order.
        waiting: what is wanted and has to wait.
        written: Pods and resources whose status was written.
        standing: how far the daemons are.
        doubtful: something that was read is not believed.
    """

    outcomes: tuple[Outcome, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    written: tuple[str, ...] = ()
    standing: Standing = field(default_factory=Standing)
    doubtful: bool = False


class Bridge:
    """Keeps one Slurm cluster in agreement with Kubernetes and with what people want.

    Args:
        kube: Kubernetes.
        connect: gives slurmrestd, once the cluster has keys.
        settings: how it works.
        monotonic: seconds of a clock that never goes back.
        wall: the time of day, for what people read.
        log: told what is done, and what waits.
    """

    def __init__(
        self,
        kube: Kube,
        connect: ConnectSlurm,
        settings: Settings,
        *,
        monotonic: Clock,
        wall: Callable[[], dt.datetime],
        log: FilteringBoundLogger,
    ) -> None:
        self._kube = kube
        self._connect = connect
        self._settings = settings
        self._monotonic = monotonic
        self._wall = wall
        self._keys: ClusterKeys | None = None
        self._slurm: SlurmClient | None = None
        self._wishes = WishReader(kube, settings.namespace)
        self._daemons = Daemons(kube, settings.namespace)
        self._people = People()
        self._makings = Makings()
        self._observer = Observer(kube, self._client, settings.namespace, settings.limits)
        self._applier = Applier(kube, self._client, settings.namespace, self._makings.pod)
        self._last = (Wishes(), Standing(waiting="nothing was looked at yet"))
        self._settled_at = float("-inf")
        self._accounts = ""
        self._done_at: tuple[float, ...] = ()
        self._doubt_since: float | None = None
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._log = log.bind(namespace=settings.namespace)

    def round(self, woken: Woken = THE_TIME_CAME) -> Round:
        """Look once, do what is to be done now, and write what changed.

        Args:
            woken: what changed. When it is workers alone, a short round serves: what is wanted and
                the daemons were looked at within the last second, and are again in the next.
        """
        now = self._monotonic()
        dry = self._settings.dry_run
        short = woken.by_workers and self._is_settled(now)
        if not short:
            woken = THE_TIME_CAME
            self._settle(now)
        wishes, standing = self._last
        machines = self._observer.machines(now, woken)
        sets = self._makings.sets(wishes, standing.keys, machines)
        sight = self._observer.look(now, sets, woken)
        outcomes, waiting = self._act(sight, now)
        if not short:
            self._accounts = ""
            if standing.ready and not dry and not wishes.deleting:
                self._accounts = self._people.settle(wishes.described.cluster, self._client, now)
        of_cluster = _of_cluster(wishes, standing, self._accounts)
        made = Round(
            outcomes=outcomes,
            waiting=(*waiting, *_not_done(outcomes), *of_cluster),
            standing=replace(standing, put_right=()) if short else standing,
            doubtful=not all(one.ok for one in sight.snapshot.trusts),
        )
        if not dry:
            written = self._write(sight, now)
            if not short:
                written += self._write_resources(wishes, standing, self._accounts, sight, made)
            made = replace(made, written=written)
            self._publish(wishes, sight, made)
        self._tell(made)
        return made

    def _settle(self, now: float) -> None:
        """Read what is wanted, and bring the daemons in line with it."""
        wishes = self._wishes.read()
        standing = self._daemons.settle(wishes, now, dry_run=self._settings.dry_run)
        self._take_keys(standing.keys)
        self._last, self._settled_at = (wishes, standing), now

    def _is_settled(self, now: float) -> bool:
        """Return whether what is wanted was read a moment ago, and the daemons were in line."""
        wishes, standing = self._last
        settled = standing.ready and not wishes.fault and not wishes.deleting
        return settled and now - self._settled_at < PERIOD_SECONDS

    def serve(self, stop: threading.Event) -> None:
        """Run rounds until `stop` is set."""
        alarm = Alarm()
        here = self._settings.namespace
        watched = ((NODE, None), (POD, here), (SLURM_CLUSTER, here), (NODE_SET, here))
        for kind, namespace in watched:
            watcher = threading.Thread(
                target=self._watch,
                args=(kind, namespace, alarm, stop),
                name=f"watch {kind.plural}",
                daemon=True,
            )
            watcher.start()
        woken = THE_TIME_CAME
        while not stop.is_set():
            self.round(woken)
            woken = alarm.wait(sleep_seconds(self._wall))

    def _client(self) -> SlurmClient:
        if self._slurm is None:
            raise Unreachable("ask slurmrestd: the cluster has no keys yet", system="slurmrestd")
        return self._slurm

    def _take_keys(self, keys: ClusterKeys | None) -> None:
        if keys is not None and keys != self._keys:
            self._keys, self._slurm = keys, self._connect(keys)

    def _act(self, sight: Sight, now: float) -> tuple[tuple[Outcome, ...], tuple[Waiting, ...]]:
        """Plan, and do what may be done now."""
        budget = self._settings.budget
        self._done_at = remembered(budget, self._done_at, now)
        allowed = allowance(
            budget, nodes=len(sight.snapshot.records), done_at=self._done_at, now=now
        )
        plan = plan_workers(sight.snapshot, allowance=allowed)
        if self._settings.dry_run:
            outcomes = tuple(
                Outcome(action=one, done=False, why_not=DRY_RUN) for one in plan.actions
            )
            return outcomes, plan.waiting
        outcomes = tuple(self._applier.apply_all(plan.actions))
        if outcomes:
            self._done_at = (*self._done_at, *(now for _ in plan.disturbed))
            self._observer.after(one.action for one in outcomes if one.done)
        return outcomes, plan.waiting

    def _watch(
        self, kind: Kind, namespace: str | None, alarm: Alarm, stop: threading.Event
    ) -> None:
        while not stop.is_set():
            try:
                since = self._kube.version_of(kind, namespace)
                alarm.changed(kind, None)  # for what changed before
                seen: dict[str, object] = {}
                for event in self._kube.watch(
                    kind, namespace, since=since, within_seconds=_WATCH_SECONDS
                ):
                    if is_news(kind, event, seen):
                        alarm.changed(kind, event.object["metadata"]["resourceVersion"])
            except RemoteError as exc:
                self._log.warning("watch broke", kind=kind.plural, why=exc.message)
                stop.wait(_BACKOFF_SECONDS)

    def _write(self, sight: Sight, now: float) -> tuple[str, ...]:
        """Write Pods' conditions; while Slurm is in doubt the last known ones stay for a while."""
        why_not = sight.snapshot.slurm_trust.why_not
        if self._keeps_silent(sight, now):
            return ()
        written = []
        for pod, wanted in changed_pods(sight.pods, sight.snapshot, why_not=why_not):
            failed = write_conditions(self._kube, pod, wanted, self._wall())
            if failed:
                self._log.warning("conditions not written", pod=pod.name, why=failed)
            else:
                written.append(pod.name)
        if self._settings.node_conditions and not why_not and sight.snapshot.pods_trust.ok:
            written += self._write_machines(sight)
        return tuple(written)

    def _keeps_silent(self, sight: Sight, now: float) -> bool:
        """Return whether Slurm is in doubt, and not for so long that it has to be said."""
        if sight.snapshot.slurm_trust.ok:
            self._doubt_since = None
            return False
        self._doubt_since = now if self._doubt_since is None else self._doubt_since
        return now - self._doubt_since < UNKNOWN_AFTER_SECONDS

    def _write_machines(self, sight: Sight) -> Iterator[str]:
        for node, wanted in changed_machines(sight.snapshot):
            failed = write_machine_condition(self._kube, node, wanted, self._wall())
            if failed:
                self._log.warning("condition not written", machine=node.name, why=failed)
            else:
                yield node.name

    def _write_resources(
        self, wishes: Wishes, standing: Standing, accounts: str, sight: Sight, made: Round
    ) -> tuple[str, ...]:
        """Write finalizers and statuses of the custom resources, where they changed."""
        if wishes.unread:
            return ()
        try:
            hold_new(self._kube, wishes)
            left = let_go(self._kube, wishes, sight.pods, pods_known=sight.snapshot.pods_trust.ok)
            if wishes.deleting:
                standing = replace(standing, waiting=left or standing.waiting)
            written = []
            silent = self._keeps_silent(sight, self._monotonic())
            for thing, wanted in _statuses(wishes, standing, accounts, sight, made):
                if silent and thing["kind"] == NODE_SET.name and speaks_of_now(thing):
                    continue  # its counts would all become unknown
                changed = to_write(thing, wanted, self._wall())
                if changed is not None:
                    self._kube.apply_status(changed)
                    written.append(f"{thing['kind']}/{name_of(thing)}")
        except NotFound:
            return ()  # deleted meanwhile
        except RemoteError as exc:
            self._log.warning("status not written", why=exc.message)
            return ()
        return tuple(written)

    def _publish(self, wishes: Wishes, sight: Sight, made: Round) -> None:
        """Write Events for what was done; they are a courtesy, and nothing waits for them."""
        for event in events_of(wishes, sight.snapshot, made.outcomes, made.standing, self._wall()):
            try:
                self._kube.create(event)
            except RemoteError as exc:
                self._log.warning("event not written", why=exc.message)

    def _tell(self, made: Round) -> None:
        """Log what was done, and each thing that waits once."""
        for outcome in made.outcomes:
            words = {"action": type(outcome.action).__name__, "node": outcome.action.node}
            if outcome.done:
                reason = getattr(outcome.action, "reason", "")
                self._log.info("done", **words, **({"reason": reason} if reason else {}))
            else:
                self._log.info("not done", **words, why=outcome.why_not)
        if made.standing.put_right:
            self._log.warning("put right", objects=list(made.standing.put_right))
        waiting = frozenset((str(one.node), one.why) for one in made.waiting)
        for node, why in sorted(waiting - self._told):
            self._log.info("waiting", node=node or None, why=why)
        for node, why in sorted(self._told - waiting):
            self._log.info("waits no more", node=node or None, why=why)
        self._told = waiting


def _not_done(outcomes: tuple[Outcome, ...]) -> Iterator[Waiting]:
    """Say what was planned and not done, the first of each worker: it is tried again."""
    told: set[NodeName] = set()
    for one in outcomes:
        if not one.done and one.why_not != DRY_RUN and one.action.node not in told:
            told.add(one.action.node)
            yield Waiting(node=one.action.node, why=one.why_not)


def _of_cluster(wishes: Wishes, standing: Standing, accounts: str) -> Iterator[Waiting]:
    """Say what the cluster as a whole waits for."""
    whole = NodeName("")
    if wishes.fault:
        yield Waiting(node=whole, why=wishes.fault)
    elif standing.fault:
        yield Waiting(node=whole, why=standing.fault)
    elif standing.waiting:
        yield Waiting(node=whole, why=standing.waiting)
    elif accounts:
        yield Waiting(node=whole, why=accounts)


def _statuses(
    wishes: Wishes, standing: Standing, accounts: str, sight: Sight, made: Round
) -> Iterator[tuple[KubeObject, Mapping[str, Any]]]:
    """Yield each custom resource with the status that it should have."""
    for one in wishes.node_sets:
        frozen = {found.name: found.frozen for found in sight.snapshot.sets}
        fault = wishes.described.node_set_faults.get(name_of(one), "") or frozen.get(
            name_of(one), ""
        )
        shape = None if fault else _shape(wishes, name_of(one))
        yield (
            one,
            node_set_status(one, sight.snapshot, sight.pods, fault, made.waiting, shape=shape),
        )
    # Last: who sees that this one speaks of the present spec knows it of the sets as well.
    if wishes.head is not None:
        for one in wishes.others:
            yield one, refused_status(one, name_of(wishes.head))
        yield wishes.head, cluster_status(wishes, standing, accounts)


def _shape(wishes: Wishes, name: str) -> NodeShape | None:
    cluster = wishes.described.cluster
    found = [one for one in cluster.node_sets if one.name == name] if cluster is not None else []
    return slurm_shape(found[0]) if found else None
