"""Rows about workers, for operators."""

from __future__ import annotations

import json

import pytest

from sunk.bridge.apply import Outcome
from sunk.bridge.loop import Round
from sunk.bridge.overview import jobs_by_node, plan_rows, worker_rows
from sunk.model.kube import Pod
from sunk.model.slurm import DRAIN, Job, JobId, JobState, NodeName, NodeState, SlurmNode
from sunk.plan.actions import Drain
from sunk.plan.reasons import Cause, write_reason
from sunk.plan.workers import Waiting


def record(name: str, *flags: str, reason: str = "", uid: str = "") -> SlurmNode:
    return SlurmNode(
        name=NodeName(name),
        state=NodeState.IDLE,
        flags=frozenset({"DYNAMIC_NORM", *flags}),
        reason=reason,
        extra=json.dumps({"podUid": uid}) if uid else "",
    )


def pod(name: str, **changes) -> Pod:
    return Pod(
        **{"name": name, "namespace": "s", "uid": name, "node": "m0", "ready": True} | changes
    )


def job(number: int, state: JobState = JobState.RUNNING, nodes: str = "a-[0-1]", **changes) -> Job:
    return Job(job_id=JobId(number), state=state, nodes=nodes, user="alice", **changes)


def only(*args):
    (row,) = worker_rows(*args)
    return row


def test_row_joins_record_pod_and_jobs():
    row = only([record("a-0", uid="a-0")], [pod("a-0")], [job(2, nodes="a-0"), job(1, nodes="a-0")])
    assert (row.node, row.state, row.jobs, row.users) == ("a-0", "IDLE", (1, 2), ("alice",))
    assert (row.pod, row.kube_node, row.drained_by) == ("ready", "m0", "")


def test_drain_says_whose_it_is():
    ours = write_reason(Cause.CORDON, NodeName("a-0"), "x")
    assert only([record("a-0", DRAIN, reason=ours)], [], []).drained_by == "bridge"
    assert only([record("a-0", DRAIN, reason="fan")], [], []).drained_by == "somebody else"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "none"),
        ([pod("a-0", deleting=True)], "deleting"),
        ([pod("a-0", ready=False, trouble="ImagePullBackOff")], "not ready: ImagePullBackOff"),
        ([pod("a-0", uid="a-later-one")], "another Pod's record"),
    ],
)
def test_pod_is_said_to_be(found, words):
    assert only([record("a-0", uid="a-0")], found, []).pod == words


def test_pod_that_slurm_does_not_know_has_a_row_too():
    assert only([], [pod("a-0")], []).state == ""


def test_rows_are_in_the_order_people_count():
    names = [one.node for one in worker_rows([record(f"a-{n}") for n in (10, 9, 1)], [], [])]
    assert names == ["a-1", "a-9", "a-10"]


def test_only_jobs_that_hold_a_node_count():
    jobs = [
        job(1, JobState.RUNNING),
        job(2, JobState.SUSPENDED),
        job(3, JobState.COMPLETED, flags=frozenset({"COMPLETING"})),
        job(4, JobState.COMPLETED),
        job(5, JobState.PENDING, nodes=""),
    ]
    on = jobs_by_node(jobs)
    assert {name: [one.job_id for one in here] for name, here in on.items()} == {
        "a-0": [1, 2, 3],
        "a-1": [1, 2, 3],
    }


def test_plan_names_jobs_and_what_waits():
    action = Drain(node=NodeName("a-1"), reason="sunk cordon: x")
    made = Round(
        outcomes=(Outcome(action=action, done=False, why_not="dry run"),),
        waiting=(Waiting(node=NodeName(""), why="Slurm: no answer"),),
    )
    rows = plan_rows(made, [job(7)])
    assert [(one.action, one.node, one.why, one.jobs, one.users) for one in rows] == [
        ("Drain", "a-1", "sunk cordon: x", (7,), ("alice",)),
        ("wait", "", "Slurm: no answer", (), ()),
    ]
