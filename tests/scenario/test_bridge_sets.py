"""NodeSets and SlurmClusters through the bridge's loop, on clients in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sunk.bridge.loop import Bridge
from sunk.bridge.manifest import WithManifest
from sunk.bridge.overview import plan_rows
from sunk.errors import Conflict, Unreachable
from sunk.model.kube import (
    CONFIG_MAP,
    EVENT,
    KINDS,
    NODE,
    NODE_SET,
    POD,
    SECRET,
    SERVICE,
    SLURM_CLUSTER,
    STATEFUL_SET,
)
from sunk.model.slurm import JobState, NodeName
from sunk.wellknown import FINALIZER
from tests.support.memory_site import CLUSTER, NAMESPACE, QUIET, START, Site, resource, thing


@pytest.fixture
def site() -> Site:
    return Site()


def busy(site: Site, *nodes: str) -> list:
    jobs = [site.occupy(node) for node in nodes]
    site.rounds()
    return jobs


def test_cluster_comes_up_from_its_resources_and_says_what_it_waits_for():
    site = Site.__new__(Site)
    bare = Site.settle
    Site.settle = lambda _self: None
    try:
        site.__init__()
    finally:
        Site.settle = bare
    ready, message = site.status("SlurmCluster", CLUSTER)["Ready"]
    assert (ready, message) == (
        "False",
        "waiting for login, mariadb, slurmctld, slurmdbd, slurmrestd",
    )
    site.settle()
    site.rounds(4)
    assert site.status("SlurmCluster", CLUSTER)["Ready"] == ("True", "")
    assert site.status("NodeSet", "a")["Ready"] == ("True", "")
    status = site.kube.get(NODE_SET, "a", NAMESPACE)["status"]
    assert (status["replicas"], status["readyReplicas"], status["idle"]) == (4, 4, 4)
    assert [one.name for one in site.slurm.users()] == ["alice", "root"]


def test_nothing_at_all_is_written_to_kubernetes_while_nothing_changes(site):
    site.rounds(5)
    before = dict(site.calls)
    site.rounds(40)
    assert dict(site.calls) == before


def test_scale_out_makes_the_lowest_free_numbers(site):
    site.kube.delete(POD, "a-1", NAMESPACE)
    site.scale(6)
    site.rounds(2)
    assert site.names() == [f"a-{n}" for n in range(6)]


def test_scale_in_takes_idle_workers_and_leaves_no_record(site):
    busy(site, "a-2", "a-3")
    site.scale(2)
    site.rounds(6)
    assert site.names() == ["a-2", "a-3"] == [str(one.name) for one in site.slurm.nodes()]


def test_scale_in_under_jobs_waits_for_them_and_says_so(site):
    jobs = busy(site, "a-0", "a-1", "a-2", "a-3")
    site.scale(0)
    site.rounds(30)
    assert len(site.names()) == 4
    assert "its jobs are running" in site.status("NodeSet", "a")["Ready"][1]
    for job in jobs:
        assert site.slurm.job(job).state is JobState.RUNNING
        site.finish(job)
    site.rounds(6)
    assert site.names() == []
    assert site.slurm.nodes() == ()
    assert {site.slurm.job(job).restart_count for job in jobs} == {0}


def test_deleted_node_set_stays_until_its_jobs_are_done(site):
    (job,) = busy(site, "a-1")
    site.kube.delete(NODE_SET, "a", NAMESPACE)
    site.rounds(6)
    assert site.names() == ["a-1"]
    assert site.status("NodeSet", "a")["Ready"][0] == "False"
    site.finish(job)
    site.rounds(6)
    assert site.names() == []
    assert site.gone(NODE_SET, "a")
    site.rounds(12)
    assert site.gone(SERVICE, "a")


def test_deleted_slurm_cluster_is_held_by_running_jobs_and_keeps_its_keys(site):
    (job,) = busy(site, "a-1")
    site.kube.delete(SLURM_CLUSTER, CLUSTER, NAMESPACE)
    site.rounds(6)
    ready = site.status("SlurmCluster", CLUSTER)["Ready"]
    assert ready == ("False", "1 workers are still there")
    assert not site.gone(STATEFUL_SET, "slurmctld")
    site.finish(job)
    site.rounds(6)
    assert site.gone(SLURM_CLUSTER, CLUSTER)
    assert site.gone(STATEFUL_SET, "slurmctld")
    assert site.gone(CONFIG_MAP, "slurm-conf")
    assert not site.gone(SECRET, "slurm-key")


def test_resource_that_cannot_work_is_named_and_what_runs_is_left_alone(site):
    conf = site.kube.get(CONFIG_MAP, "slurm-conf", NAMESPACE)
    site.edit_cluster(slurmConf={"NoSuchKey": "1"})
    site.scale(1)
    site.rounds(8)
    assert "slurmConf.NoSuchKey" in site.status("SlurmCluster", CLUSTER)["Valid"][1]
    assert len(site.names()) == 4
    assert site.kube.get(CONFIG_MAP, "slurm-conf", NAMESPACE) == conf
    site.edit_cluster(slurmConf={"NoSuchKey": None})
    site.rounds(8)
    assert len(site.names()) == 1


def test_fault_of_a_node_set_is_its_own(site):
    site.kube.create({**resource("NodeSet", "b"), "spec": {"cpu": "100m"}})
    site.edit("a", memory="1Mi")
    site.scale(1)
    site.rounds(8)
    assert len(site.names()) == 4
    assert "memory" in site.status("NodeSet", "a")["Valid"][1]
    assert "cpu" in site.status("NodeSet", "b")["Valid"][1]
    assert site.status("SlurmCluster", CLUSTER)["Valid"] == ("True", "")
    conf = site.kube.get(CONFIG_MAP, "slurm-conf", NAMESPACE)["data"]["slurm.conf"]
    assert "NodeSet=ns_a" in conf


def test_second_slurm_cluster_of_a_namespace_is_refused(site):
    site.kube.create({**resource("SlurmCluster", "second"), "spec": {}})
    site.rounds(2)
    refused = site.status("SlurmCluster", "second")["Valid"]
    assert refused == ("False", "the namespace has SlurmCluster lab already, and holds one")
    assert site.status("SlurmCluster", CLUSTER)["Valid"] == ("True", "")


def test_foreign_edit_of_an_owned_object_is_put_right_and_reported(site):
    edited = {"spec": {"publishNotReadyAddresses": False}}
    site.kube.merge(SERVICE, "slurmctld", edited, NAMESPACE)
    made = site.rounds(12)
    service = site.kube.get(SERVICE, "slurmctld", NAMESPACE)
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert [one.standing.put_right for one in made if one.standing.put_right] == [
        ("Service/slurmctld",)
    ]


def test_what_runs_is_kept_right_while_its_description_cannot_be_used(site):
    site.edit_cluster(partitions=[{"name": "p", "nodeSets": ["nope"]}])
    site.rounds(2)
    assert site.status("SlurmCluster", CLUSTER)["Valid"][0] == "False"
    site.kube.delete(SERVICE, "slurmctld", NAMESPACE)
    made = site.rounds(12)
    assert [one.standing.put_right for one in made if one.standing.put_right] == [
        ("Service/slurmctld",)
    ]
    assert site.kube.get(SERVICE, "slurmctld", NAMESPACE)
    conf = site.kube.get(CONFIG_MAP, "slurm-conf", NAMESPACE)["data"]["slurm.conf"]
    assert "PartitionName=p " not in conf


def test_deleted_object_comes_back(site):
    site.kube.delete(CONFIG_MAP, "slurm-users", NAMESPACE)
    site.rounds(12)
    assert not site.gone(CONFIG_MAP, "slurm-users")


def test_keys_that_vanished_are_not_made_anew(site):
    for name in ("slurm-key", "slurm-jwt", "slurm-database", "login-host-key"):
        site.kube.delete(SECRET, name, NAMESPACE)
    site.bridge = site.new_bridge()
    site.rounds(8)
    assert site.gone(SECRET, "slurm-key")
    assert "restore slurm-key" in site.status("SlurmCluster", CLUSTER)["Ready"][1]
    assert len(site.names()) == 4


def test_new_description_replaces_idle_workers_first_and_waits_for_jobs(site):
    (job,) = busy(site, "a-0")
    before = {one["metadata"]["name"]: one["metadata"]["uid"] for one in site.pods()}
    site.edit("a", memory="2Gi")
    for _ in range(12):
        site.rounds(4)
        site.settle()
    after = {one["metadata"]["name"]: one["metadata"]["uid"] for one in site.pods()}
    assert {name for name in after if after[name] == before[name]} == {"a-0"}
    assert site.slurm.job(job).state is JobState.RUNNING
    site.finish(job)
    for _ in range(3):
        site.rounds(4)
        site.settle()
    assert {one["metadata"]["uid"] for one in site.pods()}.isdisjoint(before.values())


def test_one_worker_on_each_machine_follows_the_machines():
    site = Site(spec={"placement": "perNode"})
    assert site.names() == ["m0", "m1"]
    site.add_machine("m2")
    site.rounds()
    assert site.names() == ["m0", "m1", "m2"]
    place = site.pods()[2]["spec"]["affinity"]["nodeAffinity"]
    (term,) = place["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchFields"][0]["values"] == ["m2"]


def taint(site: Site, machine: str, effect: str = "NoSchedule") -> None:
    taints = [{"key": "team", "value": "a", "effect": effect}]
    site.kube.merge(NODE, machine, {"spec": {"taints": taints}})


def test_machine_with_a_taint_that_is_not_tolerated_gets_no_worker_and_is_named():
    site = Site(spec={"placement": "perNode"})
    site.add_machine("m2")
    taint(site, "m2")
    made = site.rounds()
    assert site.names() == ["m0", "m1"]
    said = "Kubernetes node m2 has taint team=a:NoSchedule, which is not tolerated"
    assert [one.why for one in made[-1].waiting if one.node == "m2"] == [said]
    site.edit("a", pod={"tolerations": [{"key": "team", "operator": "Equal", "value": "a"}]})
    site.rounds()
    assert "m2" in site.names()


def test_worker_of_a_machine_that_gets_a_taint_stays():
    site = Site(spec={"placement": "perNode"})
    taint(site, "m1")
    site.rounds(4)
    assert site.names() == ["m0", "m1"]


def test_taint_that_forbids_nothing_keeps_no_worker_off():
    site = Site(spec={"placement": "perNode"})
    site.add_machine("m2")
    taint(site, "m2", "PreferNoSchedule")
    site.rounds()
    assert site.names() == ["m0", "m1", "m2"]


def test_pod_is_not_deleted_when_slurm_keeps_its_record(site):
    refused = site.slurm.delete_node

    def keep(name: NodeName) -> None:
        raise Conflict(f"delete node {name}: it has a job", system="slurm")

    site.slurm.delete_node = keep
    site.scale(0)
    site.rounds(6)
    assert len(site.names()) == 4
    site.slurm.delete_node = refused
    site.rounds(4)
    assert site.names() == []


def test_resources_that_cannot_be_read_change_nothing(site):
    real = site.kube.list

    def broken(kind, *words):
        if kind in {NODE_SET, SLURM_CLUSTER}:
            raise Unreachable("list: no answer", system="kube-apiserver")
        return real(kind, *words)

    site.kube.list = broken
    site.kube.delete(POD, "a-0", NAMESPACE)
    made = site.rounds(4)
    assert "a-0" not in site.names()
    assert any("no answer" in one.why for one in made[-1].waiting)
    site.kube.list = real
    site.rounds()
    assert "a-0" in site.names()


def test_finalizers_of_others_are_kept(site):
    site.kube.merge(NODE_SET, "a", {"metadata": {"finalizers": ["else/where"]}}, NAMESPACE)
    site.rounds()
    found = site.kube.get(NODE_SET, "a", NAMESPACE)["metadata"]["finalizers"]
    assert sorted(found) == ["else/where", FINALIZER]


def events(site: Site) -> list[tuple[str, str, str]]:
    found = [
        (one["involvedObject"]["name"], one["reason"], one["message"])
        for one in site.kube.list(EVENT, NAMESPACE)
    ]
    return sorted(found)


def test_what_was_done_is_told_in_events_a_line_for_each_kind(site):
    site.scale(1)
    site.rounds(4)
    reason = site.kube.list(EVENT, NAMESPACE)[0]  # something is there at all
    assert reason["source"] == {"component": "sunk-bridge"}
    assert [one[:2] for one in events(site)] == [
        ("a", "RecordsDeleted"),
        ("a", "WorkersCreated"),
        ("a", "WorkersDeleted"),
        ("a", "WorkersDrained"),
    ]
    messages = {one[1]: one[2] for one in events(site)}
    assert messages["WorkersCreated"] == "made Pods of a-[0-3]"
    assert messages["RecordsDeleted"] == "removed a-[1-3] from Slurm"
    assert "NodeSet a wants fewer workers" in messages["WorkersDrained"]


def test_plan_of_an_edited_manifest_names_objects_and_workers_and_changes_nothing(site):
    edited = [
        {**resource("SlurmCluster", CLUSTER), "spec": {"slurmConf": {"KillWait": "9"}}},
        {**resource("NodeSet", "a"), "spec": {"replicas": 2}},
    ]
    dry = Bridge(
        WithManifest(site.kube, edited),
        lambda _keys: site.slurm,
        replace(site.settings, dry_run=True),
        monotonic=lambda: site.now,
        wall=lambda: START,
        log=QUIET,
    )
    before = dict(site.calls)
    for _ in range(7):
        made = dry.round()
        site.now += 1
    assert dict(site.calls) == before
    rows = [(one.action, one.node, one.why) for one in plan_rows(made, site.slurm.jobs())]
    assert ("Apply", "", "ConfigMap/slurm-conf is to change") in rows
    assert [row[:2] for row in rows if row[0] == "Drain"] == [("Drain", "a-2"), ("Drain", "a-3")]


def people(text: str) -> dict:
    return {**thing("v1", "ConfigMap", "people"), "data": {"passwd": text}}


def test_people_come_from_a_config_map_and_follow_it(site):
    site.edit_cluster(usersFrom={"configMap": "people"})
    site.rounds(2)
    valid = site.status("SlurmCluster", CLUSTER)["Valid"]
    assert valid == ("False", "usersFrom: ConfigMap people has no entry passwd, or is not there")
    site.kube.create(people("bob:x:2002:2002::/home/bob:/bin/sh\n"))
    site.rounds(4)
    assert "bob:x:2002:" in site.kube.get(CONFIG_MAP, "slurm-users", NAMESPACE)["data"]["passwd"]
    assert [str(one.name) for one in site.slurm.users()] == ["alice", "bob", "root"]
    more = {"data": {"passwd": "bob:x:2002:2002:::\ncarol:x:2003:2003:::\n"}}
    site.kube.merge(CONFIG_MAP, "people", more, NAMESPACE)
    site.rounds(4)
    assert "carol:x:2003:" in site.kube.get(CONFIG_MAP, "slurm-users", NAMESPACE)["data"]["passwd"]
    before = dict(site.calls)
    site.rounds(12)
    assert dict(site.calls) == before


def versions(site: Site) -> list[tuple[str, str, str]]:
    """Every object of the namespace with its version, which each change of it raises."""
    return [
        (kind.name, one["metadata"]["name"], one["metadata"]["resourceVersion"])
        for kind in KINDS.values()
        if kind.namespaced
        for one in site.kube.list(kind, NAMESPACE)
    ]


def test_new_bridge_changes_nothing_before_it_believes_what_it_reads_nor_after(site):
    busy(site, "a-1")
    before = versions(site)
    site.bridge = site.new_bridge()
    site.rounds(10)
    assert versions(site) == before
