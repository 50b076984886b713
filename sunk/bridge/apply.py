"""Carry out actions: the only place of the bridge that changes anything but status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import assert_never

from sunk.bridge.observe import SlurmOf
from sunk.bridge.snapshot import registered_by
from sunk.clients.kube.protocol import Kube
from sunk.errors import InputError, NotFound, RemoteError
from sunk.model.kube import POD, KubeObject
from sunk.model.slurm import NodeName, SlurmNode
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
from sunk.plan.reasons import own_cause
from sunk.wellknown import ANNOTATION_MACHINE_UID

MakePod = Callable[[CreatePod], KubeObject]
DRAIN_TOGETHER = 4
"""From so many drains on, one list of all records costs less than to read each of them."""
DRAINS_AT_ONCE = 4
"""A drain is mostly waiting: for slurmrestd, and it for slurmctld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an action.

    Attributes:
        done: it was carried out.
        why_not: why it was not; the next plan decides anew.
    """

    action: WorkersAction
    done: bool
    why_not: str = ""


class Applier:
    """Carries out actions on one Slurm cluster.

    Before anything that cannot be taken back the record is read once more, so that an action
    planned for one Pod never hits its successor.
    """

    def __init__(self, kube: Kube, slurm: SlurmOf, namespace: str, make_pod: MakePod) -> None:
        self._kube = kube
        self._slurm = slurm
        self._namespace = namespace
        self._make_pod = make_pod

    def apply_all(self, actions: Iterable[WorkersAction]) -> Iterator[Outcome]:
        """Carry out actions in order, and yield what became of each; many drains go at once.

        After one that was not done the node's later ones are not tried: a Pod must not go because
        its record could not.
        """
        stuck: set[NodeName] = set()
        for together in _together(actions):
            for outcome in self._apply_some(together, stuck):
                if not outcome.done:
                    stuck.add(outcome.action.node)
                yield outcome

    def _apply_some(self, some: list[WorkersAction], stuck: set[NodeName]) -> Iterator[Outcome]:
        read = self._read_all() if len(some) > 1 else {}

        def attempt(action: WorkersAction) -> Outcome:
            if action.node in stuck:
                why_not = "what comes before it was not done"
                return Outcome(action=action, done=False, why_not=why_not)
            return self.apply(action, read)

        if len(some) == 1:
            yield attempt(some[0])
            return
        with ThreadPoolExecutor(DRAINS_AT_ONCE) as pool:
            yield from pool.map(attempt, some)

    def _read_all(self) -> Mapping[NodeName, SlurmNode]:
        try:
            return {one.name: one for one in self._slurm().nodes()}
        except RemoteError:
            return {}  # each is read before it is drained

    def apply(
        self, action: WorkersAction, read: Mapping[NodeName, SlurmNode] | None = None
    ) -> Outcome:
        """Carry out one action; errors of other systems are part of the outcome.

        Args:
            action: what to do.
            read: records read just now; a record that is not there is read.
        """
        try:
            why_not = self._attempt(action, read or {})
        except NotFound:
            why_not = "it is gone already"
        except (InputError, RemoteError) as exc:
            why_not = exc.message
        return Outcome(action=action, done=not why_not, why_not=why_not)

    def _attempt(  # noqa: C901 - one case an action
        self, action: WorkersAction, read: Mapping[NodeName, SlurmNode]
    ) -> str:
        match action:
            case CreatePod():
                self._kube.create(self._make_pod(action))
            case NoteMachine(node=node, uid=uid, machine_uid=machine_uid):
                # The API server refuses a patch whose UID is not the object's.
                notes = {"annotations": {ANNOTATION_MACHINE_UID: machine_uid}, "uid": uid}
                self._kube.merge(POD, node, {"metadata": notes}, self._namespace)
            case DeletePod(node=node, uid=uid, unknown_to_slurm=unknown):
                if unknown and self._is_known(node):
                    return "Slurm knows the node after all"
                self._kube.delete(POD, node, self._namespace, uid=uid)
            case Drain(node=node, reason=reason):
                return self._drain(read.get(node) or self._slurm().node(node), reason)
            case Resume(node=node, reason=reason):
                if self._slurm().node(node).reason != reason:
                    return "somebody changed its reason"
                self._slurm().resume(node)
            case TakeDown(node=node, pod_uid=pod_uid, reason=reason):
                if not self._registered_by(node, pod_uid):
                    return "another Pod has registered the name"
                self._slurm().set_down(node, reason)
            case DeleteRecord(node=node, pod_uid=pod_uid):
                if not self._registered_by(node, pod_uid):
                    return "another Pod has registered the name"
                self._slurm().delete_node(node)
            case _:
                assert_never(action)
        return ""

    def _drain(self, record: SlurmNode, reason: str) -> str:
        if record.drain and own_cause(record.name, record.reason) is None:
            return "somebody drained it meanwhile, for a reason of their own"
        self._slurm().drain(record.name, reason)
        return ""

    def _is_known(self, node: NodeName) -> bool:
        try:
            self._slurm().node(node)
        except NotFound:
            return False
        return True

    def _registered_by(self, node: NodeName, pod_uid: str) -> bool:
        return registered_by({node: self._slurm().node(node)}).get(node) == pod_uid


def _together(actions: Iterable[WorkersAction]) -> Iterator[list[WorkersAction]]:
    """Yield actions in order, each alone, but for many drains that follow each other."""
    for drains, found in groupby(actions, lambda one: isinstance(one, Drain)):
        some = list(found)
        if drains and len(some) >= DRAIN_TOGETHER:
            yield some
        else:
            yield from ([one] for one in some)
