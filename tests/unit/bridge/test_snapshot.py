"""From answers to what planners see."""

from __future__ import annotations

import json

import pytest

from sunk.bridge.snapshot import loads_of, registered_by, worker_pod
from sunk.model.kube import Pod
from sunk.model.slurm import Job, JobId, JobState, NodeName, NodeState, SlurmNode
from sunk.model.workers import Load


def registered(extra: str) -> dict:
    node = SlurmNode(name=NodeName("a-0"), state=NodeState.IDLE, extra=extra)
    return registered_by({node.name: node})


def test_record_says_which_pod_registered_it():
    assert registered(json.dumps({"podUid": "u", "rack": 7})) == {"a-0": "u"}


@pytest.mark.parametrize(
    "extra", ["", "rack 7", "[]", "null", "{}", '{"podUid": 7}', '{"podUid": ""}']
)
def test_record_that_does_not_say_so_was_not_registered_by_a_worker(extra):
    assert registered(extra) == {}


@pytest.mark.parametrize(
    ("name", "node_set", "ordinal"), [("a-0", "a", 0), ("big-mem-12", "big-mem", 12)]
)
def test_worker_is_known_by_its_name_and_label(name, node_set, ordinal):
    found = worker_pod(
        Pod(name=name, namespace="s", uid="u", labels={"sunk.dev/node-set": node_set})
    )
    assert (found.name, found.node_set, found.ordinal) == (name, node_set, ordinal)


@pytest.mark.parametrize(
    ("name", "node_set"), [("a-0", "b"), ("a-x", "a"), ("a", "a"), ("a-0", "")]
)
def test_pod_that_is_not_named_like_a_worker_is_none(name, node_set):
    pod = Pod(name=name, namespace="s", uid="u", labels={"sunk.dev/node-set": node_set})
    assert worker_pod(pod) is None


def job(number: int, nodes: str, **changes: object) -> Job:
    fields = {"state": JobState.RUNNING, "planned_end": 100 * number, **changes}
    return Job(job_id=JobId(number), nodes=nodes, **fields)


def test_node_is_free_when_the_last_of_its_jobs_must_have_ended():
    loads = loads_of((job(1, "a-0"), job(3, "a-[0-1]"), job(2, "a-0")))
    assert loads == {
        "a-0": Load(jobs=(1, 2, 3), ends_at=300),
        "a-1": Load(jobs=(3,), ends_at=300),
    }


def test_job_that_does_not_say_when_it_ends_leaves_its_node_s_end_open():
    assert loads_of((job(1, "a-0"), job(2, "a-0", planned_end=None))) == {
        "a-0": Load(jobs=(1, 2), ends_at=None)
    }


def test_job_whose_processes_are_being_cleaned_up_holds_its_node_until_it_ended():
    completing = job(
        1,
        "a-0",
        state=JobState.COMPLETED,
        flags=frozenset({"COMPLETING"}),
        end_time=70,
        planned_end=None,
    )
    assert loads_of((completing,)) == {"a-0": Load(jobs=(1,), ends_at=70)}
