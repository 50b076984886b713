"""The rules of the worker planner, over generated worlds, and the choices people care about."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.model.slurm import DRAIN, NodeName, NodeState, SlurmNode
from sunk.model.workers import Trust, WorkerPod, WorkerSet
from sunk.plan.actions import (
    CreatePod,
    DeletePod,
    DeleteRecord,
    DisruptiveAction,
    Drain,
    NoteMachine,
    Resume,
    TakeDown,
)
from sunk.plan.reasons import POD_STOPS, Cause, own_cause, write_reason
from sunk.plan.workers import choose_victims, plan_workers
from tests.support.render import REPOSITORY
from tests.support.worker_world import World, worlds

MANY = 1000
DISRUPTIVE = get_args(DisruptiveAction)
DOUBT = Trust(why_not="the list is empty all of a sudden")


def busy(name: str) -> SlurmNode:
    return SlurmNode(name=NodeName(name), state=NodeState.ALLOCATED)


def idle(name: str) -> SlurmNode:
    return SlurmNode(name=NodeName(name), state=NodeState.IDLE)


def pod(ordinal: int, **changes) -> WorkerPod:
    name = NodeName(f"a-{ordinal}")
    fields = {"uid": f"{name}-uid", "node_set": "a", "kube_node": "m0", "machine_uid": "m0"}
    return WorkerPod(name=name, ordinal=ordinal, **{**fields, **changes})


def world_of(replicas: int, *records: SlurmNode, deleting: bool = False) -> World:
    world = World(sets={"a": WorkerSet(name="a", replicas=replicas, deleting=deleting)})
    for ordinal, record in enumerate(records):
        world.pods[record.name] = pod(ordinal)
        world.records[record.name] = record
        world.marks[record.name] = f"{record.name}-uid"
        if record.state is NodeState.ALLOCATED:
            world.jobs[record.name] = 100
    return world


@given(worlds())
def test_applying_plans_ends_in_an_empty_plan(world):
    for _ in range(30):
        for action in plan_workers(world.snapshot(), allowance=MANY).actions:
            world.apply(action)
        world.settle()
    assert plan_workers(world.snapshot(), allowance=MANY).actions == ()
    for one in world.sets.values():
        mine = [pod for pod in world.pods.values() if pod.node_set == one.name]
        blocked = {machine for machine in one.machines or () if machine in world.cordoned}
        there = {pod.machine for pod in mine}
        assert len(mine) == (0 if one.deleting else one.wanted - len(blocked - there))
        for pod in mine:
            held = world.records[pod.name].reason == "disk is broken"
            stuck = held or pod.kube_node in world.cordoned
            assert one.revision in {"", pod.revision} or stuck


@given(worlds())
def test_no_job_is_killed(world):
    for _ in range(8):
        for action in plan_workers(world.snapshot(), allowance=MANY).actions:
            world.apply(action)
    assert world.killed_jobs == []


@given(worlds(), st.integers(0, 6))
def test_stopping_after_any_action_kills_no_job_and_the_next_plan_goes_on(world, count):
    for action in plan_workers(world.snapshot(), allowance=MANY).actions[:count]:
        world.apply(action)
    test_applying_plans_ends_in_an_empty_plan.hypothesis.inner_test(world)
    assert world.killed_jobs == []


@given(worlds())
def test_records_and_drains_of_others_are_never_touched(world):
    foreign = {name for name in world.records if name not in world.marks}
    held = {name for name, record in world.records.items() if record.reason == "disk is broken"}
    for action in plan_workers(world.snapshot(), allowance=MANY).actions:
        assert action.node not in foreign or isinstance(action, CreatePod)
        assert not (isinstance(action, Resume) and action.node in held)
        assert not (isinstance(action, Drain) and action.node in held)


@given(worlds())
def test_plan_is_the_same_for_shuffled_input(world):
    seen = world.snapshot()
    turned = replace(seen, sets=seen.sets[::-1], pods=seen.pods[::-1])
    first, second = (plan_workers(one, allowance=MANY).actions for one in (seen, turned))
    assert set(map(repr, first)) == set(map(repr, second))


@given(worlds(), st.integers(0, 4))
def test_no_more_than_the_allowance_is_disturbed_and_the_rest_is_said_to_wait(world, allowance):
    seen = world.snapshot()
    free = plan_workers(seen, allowance=MANY)
    bound = plan_workers(seen, allowance=allowance)
    asked = {pod.name for one in seen.sets for pod in choose_victims(one, seen)}
    disturbed = {one.node for one in bound.actions if isinstance(one, DISRUPTIVE)} - asked
    assert len(disturbed) <= allowance
    held = {one.node for one in bound.waiting if "breaker" in one.why}
    done = {one.node for one in bound.actions if isinstance(one, DISRUPTIVE)}
    assert {one.node for one in free.actions if isinstance(one, DISRUPTIVE)} == done | held


@given(worlds(), st.sampled_from(["slurm_trust", "pods_trust"]))
def test_nothing_is_disturbed_on_a_reading_that_is_not_trusted(world, what):
    plan = plan_workers(world.snapshot(**{what: DOUBT}), allowance=MANY)
    assert [one for one in plan.actions if isinstance(one, DISRUPTIVE)] == []
    assert any(DOUBT.why_not in one.why for one in plan.waiting)


@given(worlds())
def test_no_cordon_is_believed_or_disbelieved_without_the_nodes(world):
    world.sets = {
        name: WorkerSet(name=name, replicas=MANY) for name in world.sets
    }  # nobody has to go
    plan = plan_workers(world.snapshot(kube_nodes_trust=DOUBT), allowance=MANY)
    assert not [one for one in plan.actions if isinstance(one, Drain | Resume)]


def test_pods_are_made_again_under_the_lowest_free_number():
    world = world_of(4, idle("a-0"), idle("a-1"), idle("a-2"))
    del world.pods[NodeName("a-1")]
    made = plan_workers(world.snapshot(), allowance=0).actions
    assert [one.node for one in made] == ["a-1", "a-3"]


def test_no_pod_is_made_while_the_list_of_pods_is_in_doubt():
    assert plan_workers(world_of(3).snapshot(pods_trust=DOUBT), allowance=MANY).actions == ()


def test_pod_that_is_being_deleted_keeps_its_name_for_its_successor():
    world = world_of(2, idle("a-0"), idle("a-1"))
    world.pods[NodeName("a-0")] = pod(0, deleting=True)
    assert plan_workers(world.snapshot(), allowance=MANY).actions == ()


def test_busy_worker_that_must_go_is_drained_and_waited_for_with_its_jobs():
    world = world_of(0, busy("a-0"))
    plan = plan_workers(world.snapshot(), allowance=MANY)
    assert plan.actions == (
        Drain(
            node=NodeName("a-0"),
            reason=write_reason(Cause.SCALE_IN, NodeName("a-0"), "NodeSet a wants fewer workers"),
        ),
    )
    world.apply(plan.actions[0])
    waiting = plan_workers(world.snapshot(), allowance=MANY)
    assert waiting.actions == ()
    assert [(one.node, one.why, one.jobs) for one in waiting.waiting] == [
        ("a-0", "its jobs are running", (1,))
    ]


def test_drained_worker_goes_from_slurm_before_its_pod_goes():
    reason = write_reason(Cause.SCALE_IN, NodeName("a-0"), "x")
    world = world_of(0, replace(idle("a-0"), flags=frozenset({DRAIN}), reason=reason))
    assert plan_workers(world.snapshot(), allowance=MANY).actions == (
        DeleteRecord(node=NodeName("a-0"), pod_uid="a-0-uid"),
        DeletePod(node=NodeName("a-0"), uid="a-0-uid"),
    )


def test_jobs_are_not_hurt_by_a_new_description_and_a_quarter_is_replaced_at_a_time():
    world = world_of(8, busy("a-0"), *(idle(f"a-{n}") for n in range(1, 8)))
    world.sets["a"] = replace(world.sets["a"], revision="r2")
    first = plan_workers(world.snapshot(), allowance=MANY)
    assert [(type(one), one.node) for one in first.actions] == [(Drain, "a-1"), (Drain, "a-2")]
    assert own_cause(NodeName("a-1"), first.actions[0].reason) is Cause.UPDATE
    most = 0
    for _ in range(20):
        for action in plan_workers(world.snapshot(), allowance=MANY).actions:
            world.apply(action)
        most = max(most, sum(record.drain for record in world.records.values()))
        job = world.jobs.get(NodeName("a-0"))
        world.settle()
        if job is not None:  # the job goes on
            world.jobs[NodeName("a-0")] = job
            world.records[NodeName("a-0")] = replace(
                world.records[NodeName("a-0")], state=NodeState.ALLOCATED
            )
    assert most == 2
    assert {pod.name for pod in world.pods.values() if pod.revision != "r2"} == {"a-0"}
    assert world.killed_jobs == []
    waiting = plan_workers(world.snapshot(), allowance=MANY).waiting
    assert [(one.node, one.why) for one in waiting] == [("a-0", "its jobs are running")]


def test_machine_is_noted_on_a_pod_as_soon_as_it_is_bound():
    world = world_of(2, idle("a-0"), idle("a-1"))
    world.pods[NodeName("a-0")] = pod(0, machine_uid="")
    world.pods[NodeName("a-1")] = pod(1, machine_uid="", kube_node=None)
    note = NoteMachine(node=NodeName("a-0"), uid="a-0-uid", machine_uid="m0")
    assert plan_workers(world.snapshot(), allowance=0).actions == (note,)


def test_worker_on_a_machine_made_anew_under_its_name_is_replaced_when_its_jobs_are_done():
    world = world_of(1, busy("a-0"))
    world.pods[NodeName("a-0")] = pod(0, machine_uid="the m0 before")
    (drained,) = plan_workers(world.snapshot(), allowance=MANY).actions
    detail = "Kubernetes node m0 was made anew"
    assert drained == Drain(
        node=NodeName("a-0"), reason=write_reason(Cause.UPDATE, NodeName("a-0"), detail)
    )
    world.apply(drained)
    assert plan_workers(world.snapshot(), allowance=MANY).actions == ()
    world.settle()
    assert plan_workers(world.snapshot(), allowance=MANY).actions == (
        DeleteRecord(node=NodeName("a-0"), pod_uid="a-0-uid"),
        DeletePod(node=NodeName("a-0"), uid="a-0-uid"),
    )


def test_worker_that_a_person_drained_is_not_replaced_by_a_new_description():
    held = replace(idle("a-0"), flags=frozenset({DRAIN}), reason="fan broken")
    world = world_of(1, held)
    world.sets["a"] = replace(world.sets["a"], revision="r2")
    plan = plan_workers(world.snapshot(), allowance=MANY)
    assert plan.actions == ()
    assert "somebody drained it" in plan.waiting[0].why


def test_set_that_cannot_be_acted_on_keeps_its_workers_and_says_why():
    world = world_of(0, idle("a-0"))
    world.sets["a"] = replace(world.sets["a"], frozen="cpu: 0 is not allowed", replicas=5)
    plan = plan_workers(world.snapshot(), allowance=MANY)
    assert plan.actions == ()
    assert [one.why for one in plan.waiting] == ["NodeSet a: cpu: 0 is not allowed"]


def test_workers_of_a_set_that_is_not_there_any_more_are_left_alone():
    world = world_of(1, busy("a-0"))
    world.sets.clear()
    plan = plan_workers(world.snapshot(), allowance=MANY)
    assert plan.actions == ()
    assert "gone without leave" in plan.waiting[0].why


def test_one_worker_on_each_machine_that_is_chosen_named_after_it():
    world = World(sets={"gpu": WorkerSet(name="gpu", replicas=1, machines=("m0", "m2"))})
    world.cordoned = {"m2"}
    made = plan_workers(world.snapshot(), allowance=0).actions
    assert made == (CreatePod(node=NodeName("m0"), node_set="gpu", machine="m0"),)
    world.cordoned = set()
    made = plan_workers(world.snapshot(), allowance=0).actions
    assert [one.node for one in made] == ["m0", "m2"]


def test_name_that_another_set_or_somebody_elses_node_has_is_not_given():
    world = World(
        sets={
            "gpu": WorkerSet(name="gpu", replicas=1, machines=("m0", "m1")),
            "m": WorkerSet(name="m", replicas=0),
        }
    )
    world.pods[NodeName("m0")] = WorkerPod(
        name=NodeName("m0"), uid="x", node_set="m", ordinal=None, machine="m0"
    )
    world.records[NodeName("m1")] = idle("m1")
    plan = plan_workers(world.snapshot(), allowance=0)
    assert [one for one in plan.actions if isinstance(one, CreatePod)] == []
    assert {one.node: one.why for one in plan.waiting if one.node} == {
        "m0": "NodeSet m has a worker of this name",
        "m1": "Slurm has a node of this name that no worker of ours registered",
    }


def test_pod_that_was_evicted_makes_room_for_its_successor():
    world = world_of(1, busy("a-0"))
    world.pods[NodeName("a-0")] = pod(0, ended=True)
    actions = plan_workers(world.snapshot(), allowance=MANY).actions
    assert {type(one) for one in actions} == {DeletePod, TakeDown}


def test_worker_that_slurm_has_forgotten_is_started_again():
    world = world_of(1, idle("a-0"))
    world.records.clear()
    seen = replace(world.snapshot(), forgotten=frozenset({NodeName("a-0")}))
    assert plan_workers(seen, allowance=MANY).actions == (
        DeletePod(node=NodeName("a-0"), uid="a-0-uid", unknown_to_slurm=True),
    )


def test_worker_whose_state_slurm_does_not_know_is_left_alone():
    world = world_of(0, SlurmNode(name=NodeName("a-0"), state=NodeState.UNKNOWN))
    plan = plan_workers(world.snapshot(), allowance=MANY)
    assert plan.actions == ()
    assert "does not say" in plan.waiting[0].why


ORDER = [
    ("one that is going already", {"deleting": True}, None, {}),
    ("one that was never placed", {"kube_node": None}, None, {}),
    ("one that is down", {}, NodeState.DOWN, {}),
    ("an idle one", {}, NodeState.IDLE, {}),
    ("the cheaper of two busy ones", {"deletion_cost": -1}, NodeState.ALLOCATED, {"left": 900}),
    ("the one that is done sooner", {}, NodeState.ALLOCATED, {"left": 10}),
    ("one with a time limit", {}, NodeState.ALLOCATED, {"left": 500}),
]


@pytest.mark.parametrize(
    ("changes", "state", "job"), [c[1:] for c in ORDER], ids=[c[0] for c in ORDER]
)
def test_worker_that_goes_first_is(changes, state, job):
    world = world_of(1, busy("a-0"), busy("a-1"))
    world.jobs[NodeName("a-0")] = None
    world.pods[NodeName("a-1")] = pod(1, **changes)
    if state is None:
        del world.records[NodeName("a-1")]
    else:
        world.records[NodeName("a-1")] = SlurmNode(name=NodeName("a-1"), state=state)
    world.jobs.pop(NodeName("a-1"), None)
    if "left" in job:
        world.jobs[NodeName("a-1")] = job["left"]
    (chosen,) = choose_victims(world.sets["a"], world.snapshot())
    assert chosen.name == "a-1"


def test_choice_is_not_changed_while_it_is_carried_out():
    world = world_of(1, busy("a-0"), busy("a-1"))
    for action in plan_workers(world.snapshot(), allowance=MANY).actions:
        world.apply(action)
    (chosen,) = [name for name, record in world.records.items() if record.drain]
    other = next(name for name in world.pods if name != chosen)
    del world.jobs[other]
    world.records[other] = idle(other)
    assert plan_workers(world.snapshot(), allowance=MANY).actions == ()


def test_wish_that_is_taken_back_lifts_its_drains():
    world = world_of(0, busy("a-0"))
    for action in plan_workers(world.snapshot(), allowance=MANY).actions:
        world.apply(action)
    world.sets["a"] = WorkerSet(name="a", replicas=1)
    (action,) = plan_workers(world.snapshot(), allowance=MANY).actions
    assert isinstance(action, Resume)


def test_cordon_drains_and_uncordon_resumes():
    world = world_of(1, busy("a-0"))
    world.cordoned = {"m0"}
    (drain,) = plan_workers(world.snapshot(), allowance=MANY).actions
    assert isinstance(drain, Drain)
    assert "Kubernetes node m0 is cordoned" in drain.reason
    world.apply(drain)
    assert plan_workers(world.snapshot(), allowance=MANY).actions == ()
    world.cordoned = set()
    assert plan_workers(world.snapshot(), allowance=MANY).actions == (
        Resume(node=NodeName("a-0"), reason=drain.reason),
    )


def test_hook_of_a_worker_writes_the_reason_that_is_known_as_its():
    hook = (REPOSITORY / "templates/slurm/drain.sh").read_text()
    assert f'ours="{POD_STOPS}"\n' in hook


def test_late_drain_by_the_hook_of_an_earlier_pod_is_lifted():
    held = replace(idle("a-0"), flags=frozenset({DRAIN}), reason=POD_STOPS)
    world = world_of(1, held)
    assert plan_workers(world.snapshot(), allowance=MANY).actions == (
        Resume(node=NodeName("a-0"), reason=POD_STOPS),
    )


def test_reason_of_ours_that_somebody_edited_is_theirs():
    world = world_of(1, busy("a-0"))
    world.cordoned = {"m0"}
    (drain,) = plan_workers(world.snapshot(), allowance=MANY).actions
    world.apply(replace(drain, reason=drain.reason.replace("cordoned", "cordoned, fan broken")))
    world.cordoned = set()
    assert plan_workers(world.snapshot(), allowance=MANY).actions == ()


def test_jobs_of_a_pod_that_is_gone_are_given_back_at_once():
    world = world_of(1, busy("a-0"))
    world.pods[NodeName("a-0")] = pod(0, uid="a-later-one")
    (action,) = plan_workers(world.snapshot(), allowance=MANY).actions
    assert isinstance(action, TakeDown)
    assert own_cause(NodeName("a-0"), action.reason) is Cause.POD_LOST


def test_drain_of_a_person_keeps_its_reason_when_the_pod_is_lost():
    held = replace(busy("a-0"), flags=frozenset({DRAIN}), reason="fan broken")
    world = world_of(1, held)
    world.pods[NodeName("a-0")] = pod(0, uid="a-later-one")
    (action,) = plan_workers(world.snapshot(), allowance=MANY).actions
    assert isinstance(action, TakeDown)
    assert action.reason == "fan broken"


def test_record_of_a_worker_that_will_not_return_is_taken_down_then_forgotten():
    world = world_of(0, busy("a-0"))
    world.pods.clear()
    (first,) = plan_workers(world.snapshot(), allowance=MANY).actions
    assert isinstance(first, TakeDown)
    world.apply(first)
    assert plan_workers(world.snapshot(), allowance=MANY).actions == (
        DeleteRecord(node=NodeName("a-0"), pod_uid="a-0-uid"),
    )


@given(st.sampled_from(Cause), st.text(), st.sampled_from(["a-0", "a-1"]))
def test_own_reason_is_known_again_on_its_own_node_only(cause, detail, name):
    reason = write_reason(cause, NodeName(name), detail)
    assert own_cause(NodeName(name), reason) is cause
    assert own_cause(NodeName("b-7"), reason) is None
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 256


@given(st.text())
def test_what_people_type_is_never_taken_for_ours(text):
    assert own_cause(NodeName("a-0"), text) is None
