"""Actions are carried out on what they were planned for, or not at all."""

from __future__ import annotations

import json

import pytest

from sunk.bridge.apply import Applier
from sunk.clients.kube.memory import MemoryKube
from sunk.clients.slurm.memory import MemoryCluster, MemorySlurm
from sunk.errors import NotFound
from sunk.model.kube import POD
from sunk.model.slurm import NodeName, NodeState, SlurmNode
from sunk.plan.actions import DeletePod, DeleteRecord, Drain, Resume, TakeDown

NODE = NodeName("a-0")


@pytest.fixture
def world() -> MemoryCluster:
    extra = json.dumps({"podUid": "the-new-one"})
    node = SlurmNode(name=NODE, state=NodeState.IDLE, cpus=1, real_memory_mib=10, extra=extra)
    return MemoryCluster(nodes=[node])


@pytest.fixture
def kube() -> MemoryKube:
    made = MemoryKube()
    made.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "slurm"}})
    return made


@pytest.fixture
def applier(world, kube) -> Applier:
    slurm = MemorySlurm(world)
    return Applier(kube, lambda: slurm, "slurm", dict)


def test_drain_whose_reason_somebody_changed_meanwhile_is_not_lifted(applier, world):
    applier.apply(Drain(node=NODE, reason="ours"))
    MemorySlurm(world).drain(NODE, "theirs")
    outcome = applier.apply(Resume(node=NODE, reason="ours"))
    assert (outcome.done, outcome.why_not) == (False, "somebody changed its reason")
    assert world.nodes[NODE].drain


def test_drain_that_somebody_made_meanwhile_keeps_its_reason(applier, world):
    MemorySlurm(world).drain(NODE, "theirs")
    outcome = applier.apply(Drain(node=NODE, reason="ours"))
    assert (outcome.done, outcome.why_not) == (
        False,
        "somebody drained it meanwhile, for a reason of their own",
    )
    assert world.nodes[NODE].reason == "theirs"


def test_pod_that_goes_because_slurm_does_not_know_it_stays_when_slurm_knows_it(
    applier, world, kube
):
    meta = {"name": NODE, "namespace": "slurm"}
    uid = kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta})["metadata"]["uid"]
    action = DeletePod(node=NODE, uid=uid, unknown_to_slurm=True)
    outcome = applier.apply(action)
    assert (outcome.done, outcome.why_not) == (False, "Slurm knows the node after all")
    assert kube.get(POD, NODE, "slurm")
    world.reachable = False
    assert not applier.apply(action).done
    assert kube.get(POD, NODE, "slurm")
    world.reachable = True
    del world.nodes[NODE]
    assert applier.apply(action).done
    with pytest.raises(NotFound):
        kube.get(POD, NODE, "slurm")


@pytest.mark.parametrize(
    "action",
    [
        TakeDown(node=NODE, pod_uid="the-old-one", reason="gone"),
        DeleteRecord(node=NODE, pod_uid="the-old-one"),
    ],
    ids=["taken down", "deleted"],
)
def test_record_that_a_successor_registered_meanwhile_is_not(applier, world, action):
    outcome = applier.apply(action)
    assert (outcome.done, outcome.why_not) == (False, "another Pod has registered the name")
    assert world.nodes[NODE].state is NodeState.IDLE


def test_what_comes_after_an_action_that_was_not_done_is_not_tried_on_that_node(applier, world):
    world.nodes[NodeName("a-1")] = SlurmNode(name=NodeName("a-1"), state=NodeState.IDLE)
    actions = (
        DeleteRecord(node=NODE, pod_uid="the-old-one"),
        DeletePod(node=NODE, uid="the-old-one"),
        Drain(node=NodeName("a-1"), reason="x"),
    )
    assert [(one.done, one.why_not) for one in applier.apply_all(actions)] == [
        (False, "another Pod has registered the name"),
        (False, "what comes before it was not done"),
        (True, ""),
    ]


def test_what_is_gone_already_is_no_error(applier):
    missing = NodeName("a-7")
    for action in (DeletePod(node=missing, uid="x"), Drain(node=missing, reason="x")):
        assert applier.apply(action).why_not == "it is gone already"


def test_slurm_that_does_not_answer_is_said(applier, world):
    world.reachable = False
    outcome = applier.apply(Drain(node=NODE, reason="x"))
    assert not outcome.done
    assert outcome.why_not
