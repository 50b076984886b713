"""Nodes, the same over every client of Slurm."""

from __future__ import annotations

import pytest

from sunk.errors import Conflict, InputError, NotFound, Rejected, Unauthorized
from sunk.model.slurm import JobState, NodeName, NodeState
from tests.contract.slurm_harness import NODES, Harness, sleeper

NOBODY = NodeName("nosuch")


def test_ping_names_the_cluster_and_sees_its_controller(slurm: Harness) -> None:
    ping = slurm.client().ping()

    assert (ping.cluster, ping.controller_up, bool(ping.version)) == ("lab", True, True)


def test_every_node_is_listed_in_order_with_what_it_has(slurm: Harness) -> None:
    nodes = slurm.client().nodes()

    assert [
        (node.name, node.state, node.flags, node.cpus, node.real_memory_mib, node.features)
        for node in nodes
    ] == [(name, NodeState.IDLE, {"DYNAMIC_NORM"}, 4, 2000, ("worker",)) for name in NODES]


def test_one_node_reads_as_it_does_in_the_list(slurm: Harness) -> None:
    assert slurm.client().node(NODES[1]) == slurm.client().nodes()[1]


def test_every_verb_on_an_unknown_node_says_not_found(slurm: Harness) -> None:
    client = slurm.client()
    verbs = {
        "node": lambda: client.node(NOBODY),
        "drain": lambda: client.drain(NOBODY, "test"),
        "resume": lambda: client.resume(NOBODY),
        "set_down": lambda: client.set_down(NOBODY, "test"),
        "delete_node": lambda: client.delete_node(NOBODY),
    }
    for verb in verbs.values():
        with pytest.raises(NotFound, match="nosuch"):
            verb()


@pytest.mark.parametrize("name", ["", "..", "a/b", "a,b", "w[1-2]", "w1 ", "w1?x"])
def test_text_that_cannot_be_a_node_name_is_refused(slurm: Harness, name: str) -> None:
    with pytest.raises(InputError):
        slurm.client().node(NodeName(name))
    with pytest.raises(InputError):
        slurm.client().drain(NodeName(name), "test")


def test_idle_node_is_drained_at_once_and_keeps_the_reason(slurm: Harness) -> None:
    slurm.client().drain(NODES[0], 'sunk: fan "3" # broken')

    node = slurm.client().node(NODES[0])
    assert (node.drain, node.drained, node.reason) == (True, True, 'sunk: fan "3" # broken')


def test_second_drain_replaces_the_reason(slurm: Harness) -> None:
    slurm.client().drain(NODES[0], "first")
    slurm.client().drain(NODES[0], "second")

    assert slurm.client().node(NODES[0]).reason == "second"


def test_busy_node_is_drained_once_its_job_is_gone(slurm: Harness) -> None:
    client = slurm.client()
    job_id = slurm.client("alice").submit(sleeper(required_nodes=(NODES[0],)))
    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)
    client.drain(NODES[0], "test")

    assert client.node(NODES[0]).drained is False
    client.cancel(job_id)
    slurm.until(lambda: client.node(NODES[0]).drained)


def test_drained_node_takes_no_job_until_resumed(slurm: Harness) -> None:
    client = slurm.client()
    for name in NODES:
        client.drain(name, "test")
    job_id = slurm.client("alice").submit(sleeper())
    slurm.until(lambda: client.job(job_id).reason)
    assert client.job(job_id).state is JobState.PENDING

    client.resume(NODES[2])

    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)
    assert client.job(job_id).nodes == NODES[2]


def test_resume_lifts_drain_and_reason(slurm: Harness) -> None:
    slurm.client().drain(NODES[0], "test")
    slurm.client().resume(NODES[0])

    node = slurm.client().node(NODES[0])
    assert (node.state, node.drain, node.drained, node.reason) == (
        NodeState.IDLE,
        False,
        False,
        "",
    )


def test_resume_lifts_down(slurm: Harness) -> None:
    slurm.client().set_down(NODES[0], "test")
    assert slurm.client().node(NODES[0]).state is NodeState.DOWN
    slurm.client().resume(NODES[0])

    assert slurm.client().node(NODES[0]).state is NodeState.IDLE


def test_resume_of_a_node_that_is_fine_is_rejected(slurm: Harness) -> None:
    with pytest.raises(Rejected, match="w1"):
        slurm.client().resume(NODES[0])


def test_drain_and_down_need_a_reason(slurm: Harness) -> None:
    with pytest.raises(InputError, match="reason"):
        slurm.client().drain(NODES[0], " ")
    with pytest.raises(InputError, match="reason"):
        slurm.client().set_down(NODES[0], "")

    assert slurm.client().node(NODES[0]).state is NodeState.IDLE


def test_a_person_may_not_change_nodes(slurm: Harness) -> None:
    client = slurm.client("alice")
    for verb in (
        lambda: client.drain(NODES[0], "test"),
        lambda: client.set_down(NODES[0], "test"),
        lambda: client.delete_node(NODES[0]),
    ):
        with pytest.raises(Unauthorized, match="w1"):
            verb()


def test_deleted_node_is_gone(slurm: Harness) -> None:
    slurm.client().delete_node(NODES[2])

    assert [node.name for node in slurm.client().nodes()] == list(NODES[:2])
    with pytest.raises(NotFound):
        slurm.client().node(NODES[2])


def test_busy_node_cannot_be_deleted_now(slurm: Harness) -> None:
    client = slurm.client()
    job_id = slurm.client("alice").submit(sleeper(required_nodes=(NODES[0],)))
    slurm.until(lambda: client.job(job_id).state is JobState.RUNNING)

    with pytest.raises(Conflict, match="w1"):
        client.delete_node(NODES[0])


def test_nodes_are_listed_again_only_after_a_change(slurm: Harness) -> None:
    client = slurm.client()

    def unchanged() -> bool:
        listing = client.nodes_since(0)
        assert listing is not None
        return client.nodes_since(listing.as_of + 1) is None

    slurm.until(unchanged)
    before = client.nodes_since(0)
    assert before is not None
    client.drain(NODES[1], "test")

    after = client.nodes_since(before.as_of)
    assert after is not None
    assert [node.name for node in after.items if node.drain] == [NODES[1]]


def test_partitions_hold_every_node(slurm: Harness) -> None:
    assert [
        (partition.name, partition.state, partition.nodes, partition.total_nodes)
        for partition in slurm.client().partitions()
    ] == [("all", "UP", "w[1-3]", 3), ("main", "UP", "w[1-3]", 3)]
