"""The bridge's loop on clients in memory, with a clock of the test's own."""

from __future__ import annotations

from collections import Counter

import pytest

from sunk.errors import Unreachable
from sunk.model.kube import POD
from sunk.model.slurm import JobState, JobSubmission, NodeName, NodeState
from sunk.plan.actions import CreatePod, Drain, NoteMachine, Resume, TakeDown
from sunk.plan.budget import Budget
from tests.support.memory_site import NAMESPACE, Site


@pytest.fixture
def site() -> Site:
    return Site()


def test_nothing_is_done_or_written_while_nothing_changes(site):
    before = Counter(site.calls)
    made = site.rounds(10)
    assert [one.outcomes for one in made] == [()] * 10
    assert site.calls == before


def test_cordon_drains_the_workers_there_in_one_round_and_uncordon_resumes_them(site):
    site.cordon("m0")
    assert {one.node for one in site.actions()} == {"a-0", "a-2"} == site.drained()
    assert site.actions(5) == []
    site.cordon("m0", on=False)
    assert {type(one) for one in site.actions()} == {Resume}
    assert site.drained() == set()


def test_drain_by_a_person_shows_on_the_pod_and_is_never_lifted(site):
    site.slurm.drain(NodeName("a-1"), "fan broken")
    site.cordon("m1")
    site.rounds(2)
    site.cordon("m1", on=False)
    site.rounds(5)
    assert site.drained() == {"a-1"}
    assert site.conditions("a-1") == {"SlurmNodeStateDrain": "fan broken", "SlurmNodeStateIdle": ""}


def test_reason_edited_while_the_node_was_cordoned_keeps_the_drain(site):
    site.cordon("m0")
    site.rounds()
    site.slurm.drain(NodeName("a-0"), "I look at this one")
    site.cordon("m0", on=False)
    site.rounds(3)
    assert site.drained() == {"a-0"}


def test_running_job_is_not_touched_by_a_cordon(site):
    job = site.slurm.submit(JobSubmission(script="#!/bin/sh\n", name="j", working_directory="/"))
    site.world.advance(0)
    site.cordon("m0")
    site.cordon("m1")
    site.rounds(3)
    assert site.slurm.job(job).state in {JobState.RUNNING, JobState.PENDING, JobState.COMPLETED}
    assert site.slurm.job(job).restart_count == 0


def test_worker_whose_pod_is_gone_is_taken_down_and_made_again_at_once(site):
    site.kube.delete(POD, "a-2", NAMESPACE)
    actions = site.actions()
    assert [(type(one), one.node) for one in actions] == [(CreatePod, "a-2"), (TakeDown, "a-2")]
    assert site.slurm.node(NodeName("a-2")).state is NodeState.DOWN
    assert site.actions(3) == []
    site.settle()
    assert [type(one) for one in site.actions(3)] == [NoteMachine]
    assert site.slurm.node(NodeName("a-2")).state is NodeState.IDLE


def test_successor_of_the_same_name_is_not_taken_for_the_old_one(site):
    site.kube.delete(POD, "a-2", NAMESPACE)
    site.rounds()
    site.settle()
    assert [type(one) for one in site.actions(3)] == [NoteMachine]
    assert site.slurm.node(NodeName("a-2")).state is NodeState.IDLE


def test_nothing_is_done_while_slurm_does_not_answer_and_the_reason_is_said(site):
    site.world.reachable = False
    site.cordon("m0")
    made = site.rounds(3)
    assert [one.outcomes for one in made] == [()] * 3
    assert any("Slurm: " in one.why for one in made[-1].waiting)
    site.world.reachable = True
    assert {type(one) for one in site.actions()} == {Drain}


def test_last_known_state_stays_for_a_while_and_then_is_unknown(site):
    site.world.reachable = False
    site.rounds(29)
    assert site.conditions("a-0") == {"SlurmNodeStateIdle": ""}
    site.rounds(3)
    assert set(site.conditions("a-0")) == {"SlurmNodeStateUnknown"}
    site.world.reachable = True
    site.rounds(2)
    assert site.conditions("a-0") == {"SlurmNodeStateIdle": ""}


def test_empty_list_of_pods_takes_nothing_down():
    site = Site(workers=1, machines=1)
    pods = site.kube.pods
    site.kube.pods = lambda *_, **__: ()
    assert site.actions(4) == []
    site.kube.pods = pods
    assert site.actions(4) == []


def test_kubernetes_that_does_not_answer_stops_nothing_but_the_bridge(site):
    def broken(**_words):
        raise Unreachable("list nodes: no answer", system="kube-apiserver")

    nodes, site.kube.nodes = site.kube.nodes, broken
    site.cordon("m0")
    assert site.actions(3) == []
    site.kube.nodes = nodes
    assert len(site.actions()) == 2


def test_cordon_storm_is_bounded_in_a_window_and_goes_on_in_the_next():
    site = Site(workers=1000, machines=4, budget=Budget(least=20, share=0.1, window_seconds=60))
    for number in range(4):
        site.cordon(f"m{number}")
    assert len(site.actions(5)) == 100
    site.now += 60
    assert len(site.actions(5)) == 100
    assert len(site.drained()) == 200
    assert any("breaker" in one.why for one in site.rounds()[0].waiting)


def test_bridge_that_was_killed_after_any_action_is_followed_by_one_that_finishes(site):
    site.cordon("m0")
    real = site.slurm.drain
    site.slurm.drain = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        site.bridge.round()
    site.slurm.drain = real
    site.bridge = site.new_bridge()
    site.rounds(8)
    assert site.drained() == {"a-0", "a-2"}


def machine_condition(site, name: str):
    (found,) = [one for one in site.kube.nodes() if one.name == name]
    one = found.conditions.get("SlurmDrain")
    return None if one is None else (one.status, one.message)


def test_drain_by_a_person_shows_on_the_kubernetes_node_and_a_cordon_does_not():
    site = Site(node_conditions=True)
    assert machine_condition(site, "m0") is None
    site.cordon("m0")
    site.rounds(2)
    assert machine_condition(site, "m0") is None
    site.slurm.drain(NodeName("a-1"), "fan broken")
    site.rounds(2)
    assert machine_condition(site, "m1") == ("True", "a-1: fan broken")
    site.slurm.resume(NodeName("a-1"))
    site.rounds(2)
    assert machine_condition(site, "m1") == ("False", "")
