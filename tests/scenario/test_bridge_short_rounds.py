"""Rounds that a change of workers alone wakes: what they ask, what they leave to the next one."""

import pytest

from sunk.bridge.waking import Woken
from sunk.errors import Unreachable
from sunk.model.kube import NODE, NODE_SET, POD
from tests.support.memory_site import Site

WORKERS = Woken(by=frozenset({NODE, POD}), versions={NODE: "1", POD: "2"})


@pytest.fixture
def asked(site):
    """What is asked of Kubernetes and Slurm, in order, with the versions that will do."""
    asked = []

    def record(client, name):
        real = getattr(client, name)

        def call(*words, **options):
            asked.append((name, *options.values()))
            return real(*words, **options)

        setattr(client, name, call)

    for name in ("list", "nodes", "pods"):
        record(site.kube, name)
    for name in ("nodes_since", "drain"):
        record(site.slurm, name)
    return asked


@pytest.fixture
def site():
    return Site(workers=4, machines=2)


def test_round_that_a_cordon_wakes_asks_only_for_nodes_and_pods_and_drains(site, asked):
    site.bridge.round()
    site.cordon("m0")
    asked.clear()
    site.bridge.round(WORKERS)
    assert asked == [("nodes", "1"), ("pods", "2"), ("drain",), ("drain",)]
    assert site.drained() == {"a-0", "a-2"}


NODES = Woken(by=frozenset({NODE}), versions={NODE: "1"})


def test_round_that_nodes_alone_wake_asks_only_for_nodes_while_the_pods_seen_are_of_now(
    site, asked
):
    site.bridge.round()
    site.cordon("m0")
    asked.clear()
    site.bridge.round(NODES)
    assert asked == [("nodes", "1"), ("drain",), ("drain",)]
    asked.clear()
    site.now += 1.0
    site.bridge.round(NODES)
    assert ("pods", None) in asked


@pytest.fixture
def crowded():
    return Site(workers=10, machines=2)


def test_many_workers_of_a_cordoned_machine_are_drained_after_one_list(crowded):
    crowded.bridge.round()
    crowded.cordon("m0")
    asked = []
    for name in ("drain", "node", "nodes"):
        real = getattr(crowded.slurm, name)
        setattr(crowded.slurm, name, lambda *words, n=name, r=real: (asked.append(n), r(*words))[1])
    crowded.bridge.round(WORKERS)
    assert asked[0] == "nodes"
    # The client in memory reads a record itself when it drains it.
    assert sorted(asked[1:]) == ["drain"] * 5 + ["node"] * 5
    assert crowded.drained() == {"a-0", "a-2", "a-4", "a-6", "a-8"}


def test_one_of_many_that_a_person_has_drained_keeps_its_reason(crowded):
    crowded.bridge.round()
    crowded.slurm.drain("a-4", "bad cable")
    crowded.cordon("m0")
    crowded.bridge.round(WORKERS)
    assert crowded.slurm.node("a-4").reason == "bad cable"
    assert crowded.drained() == {"a-0", "a-2", "a-4", "a-6", "a-8"}


def test_without_the_one_list_each_record_is_read_before_its_drain(crowded):
    crowded.bridge.round()
    crowded.slurm.drain("a-4", "bad cable")
    crowded.cordon("m0")

    def silent():
        raise Unreachable("list nodes: no answer", system="slurmrestd")

    nodes, crowded.slurm.nodes = crowded.slurm.nodes, silent
    crowded.bridge.round(WORKERS)
    crowded.slurm.nodes = nodes
    assert crowded.slurm.node("a-4").reason == "bad cable"
    assert crowded.drained() == {"a-0", "a-2", "a-4", "a-6", "a-8"}


def test_what_we_did_to_pods_is_read_from_etcd_before_the_next_plan(site, asked):
    site.scale(5)
    site.bridge.round()
    asked.clear()
    site.bridge.round(WORKERS)
    assert asked[:2] == [("nodes", "1"), ("pods", None)]
    asked.clear()
    site.bridge.round(WORKERS)
    assert asked[:2] == [("nodes", "1"), ("pods", "2")]


def test_answer_about_pods_that_did_not_come_is_still_to_be_read_from_etcd(site, asked):
    site.scale(5)
    site.bridge.round()
    answering = site.kube.pods

    def silent(*_words, **_options):
        raise Unreachable("list pods: no answer", system="kube-apiserver")

    site.kube.pods = silent
    site.bridge.round(WORKERS)
    site.kube.pods = answering
    asked.clear()
    site.bridge.round(WORKERS)
    assert asked[:2] == [("nodes", "1"), ("pods", None)]


def test_change_of_a_resource_makes_a_whole_round(site, asked):
    site.bridge.round()
    site.scale(5)
    asked.clear()
    site.bridge.round(Woken(by=frozenset({NODE, NODE_SET}), versions={NODE: "1"}))
    assert ("list",) in asked
    assert ("nodes", None) in asked
    assert len(site.names()) == 5


def test_a_second_after_a_whole_round_the_next_one_is_whole_whatever_wakes_it(site, asked):
    site.bridge.round()
    site.now += 1.0
    asked.clear()
    site.bridge.round(WORKERS)
    assert ("list",) in asked
    assert ("nodes_since",) in asked


def test_records_that_are_in_doubt_are_asked_for_in_a_short_round_too(site, asked):
    site.world.reachable = False
    site.bridge.round()
    site.world.reachable = True
    asked.clear()
    site.bridge.round(WORKERS)
    assert ("nodes_since",) in asked


def test_drain_by_a_person_since_the_last_list_is_not_touched_by_a_short_round(site):
    site.bridge.round()
    site.slurm.drain("a-0", "bad cable")
    site.cordon("m0")
    site.bridge.round(WORKERS)
    assert site.slurm.node("a-0").reason == "bad cable"
    assert site.drained() == {"a-0", "a-2"}
