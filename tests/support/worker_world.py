"""A small world of NodeSets, Pods, Nodes and Slurm records that behaves: for planner tests.

Slurm's own refusals are kept: a node with a job is not forgotten, a drained node gets no job.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from hypothesis import strategies as st

from sunk.model.kube import KubeNode
from sunk.model.slurm import DRAIN, JobId, NodeName, NodeState, SlurmNode
from sunk.model.workers import Load, Snapshot, Trust, WorkerPod, WorkerSet
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
from sunk.plan.reasons import Cause, write_reason

MACHINES = ("m0", "m1", "m2")


@dataclass
class World:
    """Everything there is; jobs are when they must end by node, None when unknown."""

    sets: dict[str, WorkerSet] = field(default_factory=dict)
    pods: dict[NodeName, WorkerPod] = field(default_factory=dict)
    cordoned: set[str] = field(default_factory=set)
    records: dict[NodeName, SlurmNode] = field(default_factory=dict)
    marks: dict[NodeName, str] = field(default_factory=dict)
    jobs: dict[NodeName, int | None] = field(default_factory=dict)
    killed_jobs: list[NodeName] = field(default_factory=list)
    made: int = 0

    def snapshot(self, **changes: Trust) -> Snapshot:
        loads = {name: Load(jobs=(JobId(1),), ends_at=end) for name, end in self.jobs.items()}
        return Snapshot(
            sets=tuple(self.sets.values()),
            pods=tuple(self.pods.values()),
            kube_nodes={
                name: KubeNode(name=name, uid=name, ready=True, cordoned=name in self.cordoned)
                for name in MACHINES
            },
            records=dict(self.records),
            loads=loads,
            pod_of_record=dict(self.marks),
            **changes,
        )

    def apply(self, action: WorkersAction) -> None:  # noqa: C901, PLR0912 - a case each
        match action:
            case CreatePod(node=node, node_set=node_set, machine=machine):
                assert node not in self.pods, "a name is given twice"
                self.made += 1
                self.pods[node] = WorkerPod(
                    name=node,
                    uid=f"new-{self.made}",
                    node_set=node_set,
                    ordinal=int(node.rpartition("-")[2]) if machine is None else None,
                    machine=machine,
                    revision=self.sets[node_set].revision,
                    kube_node=machine or MACHINES[self.made % len(MACHINES)],
                    created=1000 + self.made,
                )
            case NoteMachine(node=node, uid=uid, machine_uid=machine_uid):
                assert self.pods[node].uid == uid
                self.pods[node] = replace(self.pods[node], machine_uid=machine_uid)
            case DeletePod(node=node, uid=uid, unknown_to_slurm=unknown):
                if unknown and node in self.records:
                    return
                if self.pods[node].uid == uid:
                    alive = not self.pods[node].ended
                    if alive and node in self.jobs and self.marks.get(node) == uid:
                        self.killed_jobs.append(node)
                    del self.pods[node]
            case Drain(node=node, reason=reason):
                record = self.records[node]
                flags = record.flags | {DRAIN}
                self.records[node] = replace(record, flags=flags, reason=reason)
            case Resume(node=node, reason=reason):
                record = self.records[node]
                if record.reason == reason:
                    flags = record.flags - {DRAIN}
                    self.records[node] = replace(record, flags=flags, reason="")
            case TakeDown(node=node, pod_uid=pod_uid, reason=reason):
                assert pod_uid == self.marks[node]
                pod = self.pods.get(node)
                if pod is not None and not pod.ended and pod.uid == self.marks[node]:
                    self.killed_jobs.append(node)
                self.jobs.pop(node, None)
                record = replace(self.records[node], state=NodeState.DOWN, reason=reason)
                self.records[node] = record
            case DeleteRecord(node=node, pod_uid=pod_uid):
                assert pod_uid == self.marks[node]
                if node not in self.jobs:
                    del self.records[node]
                    self.marks.pop(node, None)
            case _:
                assert_never(action)

    def settle(self) -> None:
        """Let jobs end, deleted Pods go, and new Pods register."""
        for node in list(self.jobs):
            del self.jobs[node]
            if self.records[node].state is NodeState.ALLOCATED:
                self.records[node] = replace(self.records[node], state=NodeState.IDLE)
        for node, pod in list(self.pods.items()):
            if pod.deleting:
                del self.pods[node]
            elif pod.ended:
                continue
            elif self.marks.get(node) != pod.uid:
                self.records[node] = SlurmNode(name=node, state=NodeState.IDLE)
                self.marks[node] = pod.uid


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds in any legal state, foreign Pods, records and reasons included."""
    world = World(cordoned=set(draw(st.lists(st.sampled_from(MACHINES), max_size=2))))
    for name in draw(st.sampled_from([("a",), ("a", "b")])):
        replicas = draw(st.integers(0, 4))
        machines = draw(st.sampled_from([None, None, ("m0", "m1"), ("m2",)]))
        if name == "b":
            machines = None  # two sets that want the same machines never agree
        world.sets[name] = WorkerSet(
            name=name,
            replicas=replicas,
            machines=machines,
            revision=draw(st.sampled_from(["", "r1", "r2"])),
            deleting=draw(st.booleans()),
        )
        for ordinal in draw(st.sets(st.integers(0, 5))):
            _worker(draw, world, name, ordinal)
    for number in range(draw(st.integers(0, 2))):
        node = NodeName(f"foreign-{number}")
        world.records[node] = draw(_records(node))
    return world


def _worker(draw: st.DrawFn, world: World, name: str, ordinal: int) -> None:
    node = NodeName(f"{name}-{ordinal}")
    has_pod, has_record = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    if has_pod:
        world.pods[node] = WorkerPod(
            name=node,
            uid=f"{node}-uid",
            node_set=name,
            ordinal=ordinal,
            kube_node=draw(st.sampled_from((*MACHINES, None))),
            machine_uid=draw(st.sampled_from(("", *MACHINES))),
            deleting=draw(st.sampled_from([False, False, True])),
            ended=draw(st.sampled_from([False, False, False, True])),
            revision=draw(st.sampled_from(["r1", "r2"])),
            deletion_cost=draw(st.integers(-1, 1)),
            created=draw(st.integers(0, 3)),
        )
    if has_record:
        record = draw(_records(node))
        world.records[node] = record
        world.marks[node] = f"{node}-uid" if draw(st.booleans()) else "an-earlier-pod"
        if record.state is NodeState.ALLOCATED:
            world.jobs[node] = draw(st.sampled_from([None, 10, 100]))


@st.composite
def _records(draw: st.DrawFn, node: NodeName) -> SlurmNode:
    state = draw(st.sampled_from([NodeState.IDLE, NodeState.ALLOCATED, NodeState.DOWN]))
    ours = [write_reason(cause, node, "x") for cause in Cause if cause is not Cause.POD_LOST]
    reason = draw(st.sampled_from(["", "disk is broken", *ours]))
    return SlurmNode(
        name=node, state=state, reason=reason, flags=frozenset({DRAIN} if reason else ())
    )
