"""The bridge on the real cluster: cordon, uncordon, foreign drains, lost Pods, conditions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sunk.model.kube import EVENT, NODE, NODE_SET, POD, SERVICE, SLURM_CLUSTER, Kind
from sunk.model.slurm import JobState, NodeName, NodeState
from sunk.render.description import dump_description
from sunk.wellknown import LABEL_NODE_SET
from sunk.wiring.bridge import bridge_of, connected
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture
def bridged(site: RunningSite) -> Iterator[RunningSite]:
    """The tests' cluster, whose bridge runs in it; begins and ends with every node usable."""
    eventually(lambda: all(usable(site, f"w-{n}") for n in range(4)), 120)
    eventually(lambda: "SlurmNodeStateIdle" in conditions(site, "w-0"), 30)
    yield site
    eventually(lambda: all(usable(site, f"w-{n}") for n in range(4)), 120)


def told(site: RunningSite, predicate, within_seconds: float):
    """Wait as `eventually` does; a failure brings the bridge's last words along."""
    try:
        return eventually(predicate, within_seconds)
    except AssertionError as exc:
        (pod, *_) = site.kube.pods(site.namespace, "app.kubernetes.io/name=sunk-bridge")
        log = site.kube.logs(pod.name, site.namespace, lines=25)
        shown = site.run("bash", "-c", "squeue -a; sinfo -N; scontrol show job | tail -60").stdout
        raise AssertionError(f"{exc}\n{log}\n{shown}") from exc


def usable(site: RunningSite, name: str) -> bool:
    node = site.slurm.node(NodeName(name))
    return node.state is NodeState.IDLE and not node.drain and site.pod(name).ready


def conditions(site: RunningSite, pod: str) -> dict[str, str]:
    found = site.pod(pod).conditions.values()
    return {one.type: one.message for one in found if one.type.startswith("SlurmNodeState")}


def cordon(site: RunningSite, machine: str, *, on: bool) -> None:
    site.kube.merge(NODE, machine, {"spec": {"unschedulable": on}})


def workers_on(site: RunningSite, machine: str) -> set[str]:
    return {f"w-{n}" for n in range(4) if site.pod(f"w-{n}").node == machine}


def drained(site: RunningSite) -> set[str]:
    return {str(node.name) for node in site.slurm.nodes() if node.drain}


def test_cordon_drains_the_workers_there_their_job_runs_on_and_uncordon_resumes(bridged):
    job = bridged.submit("sleep 6; echo done", "--nodelist=w-0")
    eventually(lambda: bridged.slurm.job(job).state is JobState.RUNNING, 30)
    machine = bridged.pod("w-0").node
    cordon(bridged, machine, on=True)
    try:
        eventually(lambda: drained(bridged) == workers_on(bridged, machine), 10)
        shown = eventually(lambda: conditions(bridged, "w-0").get("SlurmNodeStateDrain"), 10)
        assert f"Kubernetes node {machine} is cordoned" in shown
        done = eventually(lambda: (one := bridged.slurm.job(job)).ended and one, 30)
        assert (done.state, done.restart_count) == (JobState.COMPLETED, 0)
    finally:
        cordon(bridged, machine, on=False)
    eventually(lambda: drained(bridged) == set(), 10)
    eventually(lambda: set(conditions(bridged, "w-0")) == {"SlurmNodeStateIdle"}, 10)


def test_drain_by_a_person_shows_on_the_pod_and_survives_an_uncordon(bridged):
    bridged.slurm.drain(NodeName("w-1"), "fan broken")
    try:
        eventually(
            lambda: conditions(bridged, "w-1").get("SlurmNodeStateDrain") == "fan broken", 10
        )
        machine = bridged.pod("w-1").node
        others = workers_on(bridged, machine) - {"w-1"}
        cordon(bridged, machine, on=True)
        try:
            eventually(lambda: drained(bridged) == others | {"w-1"}, 10)
        finally:
            cordon(bridged, machine, on=False)
        eventually(lambda: drained(bridged) == {"w-1"}, 10)
    finally:
        bridged.slurm.resume(NodeName("w-1"))


def test_job_of_a_deleted_worker_pod_runs_again_in_seconds(bridged):
    job = bridged.submit("sleep 3", "--nodelist=w-2")
    eventually(lambda: bridged.slurm.job(job).state is JobState.RUNNING, 30)
    bridged.kube.delete(POD, "w-2", bridged.namespace, grace_seconds=0)
    eventually(lambda: bridged.slurm.job(job).restart_count == 1, 30)
    done = told(bridged, lambda: (one := bridged.slurm.job(job)).ended and one, 60)
    assert (done.state, done.exit_code) == (JobState.COMPLETED, 0)


def test_nothing_is_written_while_nothing_changes(bridged):
    def versions() -> list[str]:
        found = bridged.kube.list(POD, bridged.namespace, "app.kubernetes.io/name=slurmd")
        return [one["metadata"]["resourceVersion"] for one in found]

    rounds = bridge_of(connected(bridged.kube, bridged.namespace))

    def quiet() -> bool:
        """Whether five rounds wrote nothing; an earlier test's last changes may still come in."""
        before = versions()
        made = [rounds.round() for _ in range(5)]
        wrote = [one for one in made if one.written or one.outcomes]
        return not wrote and versions() == before

    eventually(quiet, 15, what="five rounds that write nothing")


def sunk(*words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "sunk"
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)


def test_operator_sees_plans_drains_and_resumes(site, tmp_path):
    eventually(lambda: all(usable(site, f"w-{n}") for n in range(4)), 120)
    cluster = site.site.cluster
    fewer = replace(cluster, node_sets=(replace(cluster.node_sets[0], replicas=2),))
    edited = tmp_path / "edited.yaml"
    edited.write_text(dump_description(replace(fewer, slurm_conf={"KillWait": "9"})))
    shown = sunk("plan", "--name", "tests", "--file", str(edited), "--output", "json")
    planned = [(one["action"], one["node"], one["why"]) for one in json.loads(shown.stdout)]
    assert ("Apply", "", "ConfigMap/slurm-conf is to change") in planned
    assert [one[1] for one in planned if one[0] == "Drain"] == ["w-2", "w-3"]
    assert drained(site) == set()

    done = sunk("node", "drain", "w-3", "--name", "tests", "--reason", "fan broken")
    assert done.returncode == 0, done.stderr
    rows = json.loads(sunk("node", "list", "--name", "tests", "--output", "json").stdout)
    (row,) = [one for one in rows if one["node"] == "w-3"]
    assert (row["state"], row["reason"], row["drained_by"], row["pod"], row["kube_node"]) == (
        *("IDLE+DRAIN", "fan broken", "somebody else", "ready", site.pod("w-3").node),
    )
    assert sunk("node", "resume", "w-3", "--name", "tests").returncode == 0
    again = sunk("node", "resume", "w-3", "--name", "tests")
    assert (again.returncode, "Traceback" in again.stderr) == (4, False)
    assert sunk("node", "show", "nope", "--name", "tests").returncode == 2


def scale(site: RunningSite, replicas: int) -> None:
    site.kube.merge(NODE_SET, "w", {"spec": {"replicas": replicas}}, site.namespace)


def said(site: RunningSite, kind: Kind, name: str, condition: str) -> tuple[str, str]:
    status = site.kube.get(kind, name, site.namespace).get("status", {})
    found = {one["type"]: one for one in status.get("conditions", ())}
    return found[condition]["status"], found[condition]["message"]


def workers(site: RunningSite) -> list[str]:
    return [pod.name for pod in site.kube.pods(site.namespace, "sunk.dev/node-set=w")]


def records(site: RunningSite) -> list[str]:
    return [str(one.name) for one in site.slurm.nodes()]


def test_scale_in_under_a_job_waits_for_it_and_leaves_no_record(bridged):
    job = bridged.submit("sleep 25; echo done", "--nodelist=w-3")
    eventually(lambda: bridged.slurm.job(job).state is JobState.RUNNING, 30)
    try:
        scale(bridged, 1)
        # The busy worker is the one that stays: the idle ones go first.
        told(bridged, lambda: workers(bridged) == ["w-3"] == records(bridged), 60)
        scale(bridged, 0)
        eventually(lambda: "its jobs are running" in said(bridged, NODE_SET, "w", "Ready")[1], 10)
        done = eventually(lambda: (one := bridged.slurm.job(job)).ended and one, 60)
        assert (done.state, done.restart_count) == (JobState.COMPLETED, 0)
        eventually(lambda: workers(bridged) == [] == records(bridged), 60)
    finally:
        scale(bridged, 4)


def test_description_that_cannot_work_is_named_and_harms_nothing(bridged):
    def there() -> dict[str, str]:
        # Workers of another test's NodeSet may still be on their way out.
        pods = bridged.kube.pods(bridged.namespace)
        return {one.name: one.uid for one in pods if one.labels.get(LABEL_NODE_SET, "w") == "w"}

    before = there()
    name = bridged.site.cluster.name
    wrong = {"spec": {"slurmConf": {"NoSuchKey": "1"}}}
    bridged.kube.merge(SLURM_CLUSTER, name, wrong, bridged.namespace)
    try:
        eventually(lambda: "NoSuchKey" in said(bridged, SLURM_CLUSTER, name, "Valid")[1], 10)
        scale(bridged, 0)
        eventually(lambda: "NoSuchKey" in said(bridged, NODE_SET, "w", "Valid")[1], 10)
    finally:
        scale(bridged, 4)
        right = {"spec": {"slurmConf": {"NoSuchKey": None}}}
        bridged.kube.merge(SLURM_CLUSTER, name, right, bridged.namespace)
    eventually(lambda: said(bridged, SLURM_CLUSTER, name, "Valid")[0] == "True", 10)
    assert there() == before


def test_bridge_that_is_killed_is_followed_by_one_that_goes_on(bridged):
    (pod,) = bridged.kube.pods(bridged.namespace, "app.kubernetes.io/name=sunk-bridge")
    machine = bridged.pod("w-0").node
    cordon(bridged, machine, on=True)
    try:
        bridged.kube.delete(POD, pod.name, bridged.namespace, grace_seconds=0)
        eventually(lambda: drained(bridged) == workers_on(bridged, machine), 90)
    finally:
        cordon(bridged, machine, on=False)
    eventually(lambda: drained(bridged) == set(), 90)


def describe(site: RunningSite, **spec: object) -> None:
    name = site.site.cluster.name
    site.kube.merge(SLURM_CLUSTER, name, {"spec": spec}, site.namespace)


def in_force(site: RunningSite) -> bool:
    thing = site.kube.get(SLURM_CLUSTER, site.site.cluster.name, site.namespace)
    found = {one["type"]: one for one in thing["status"]["conditions"]}["Configured"]
    current = found["observedGeneration"] == thing["metadata"]["generation"]
    return current and found["status"] == "True"


def starts(site: RunningSite) -> set[tuple[str, int]]:
    """Return the Pods that stay, with how often they started; an earlier test's may still leave."""
    pods = site.kube.pods(site.namespace)
    return {(pod.uid, pod.restarts) for pod in pods if not pod.deleting}


def test_new_configuration_is_taken_without_a_restart_while_users_work_on(bridged):
    before = starts(bridged)
    job = bridged.submit("for i in $(seq 40); do squeue >/dev/null || exit 1; sleep 0.2; done")
    eventually(lambda: bridged.slurm.job(job).state is JobState.RUNNING, 30)
    partitions = [{"name": "main", "default": True}, {"name": "second", "nodeSets": ["w"]}]
    try:
        describe(bridged, slurmConf={"KillWait": "17"}, partitions=partitions)
        eventually(lambda: in_force(bridged), 90)
        shown = bridged.run("scontrol", "show", "config").stdout
        assert "KillWait                = 17 sec" in shown
        assert bridged.run("srun", "-p", "second", "true").status == 0
    finally:
        describe(bridged, slurmConf={"KillWait": None}, partitions=[partitions[0]])
    eventually(lambda: in_force(bridged), 90)
    eventually(lambda: [str(one.name) for one in bridged.slurm.partitions()] == ["main"], 30)
    done = eventually(lambda: (one := bridged.slurm.job(job)).ended and one, 60)
    assert (done.state, done.exit_code, done.restart_count) == (JobState.COMPLETED, 0, 0)
    assert starts(bridged) == before


def test_configuration_that_slurmctld_refuses_is_not_taken_also_not_by_a_new_pod(bridged):
    name = bridged.site.cluster.name
    describe(bridged, slurmConf={"SchedulerType": "sched/nonsense"})
    try:
        eventually(lambda: "sched" in said(bridged, SLURM_CLUSTER, name, "Configured")[1], 90)
        assert bridged.run("sinfo").status == 0
        before = bridged.pod("slurmctld-0").uid
        bridged.kube.delete(POD, "slurmctld-0", bridged.namespace)
        eventually(lambda: (pod := bridged.pod("slurmctld-0")).ready and pod.uid != before, 90)
        assert bridged.run("sinfo").status == 0
    finally:
        describe(bridged, slurmConf={"SchedulerType": None})
    eventually(lambda: in_force(bridged), 90)


def test_worker_that_joins_is_placed_in_the_topology(bridged):
    tree = "SwitchName=s0 Nodes=w-[0-1]\nSwitchName=s1 Nodes=w-[2-3]\n"
    describe(bridged, topology=f"{tree}SwitchName=root Switches=s[0-1]\n")
    try:
        eventually(lambda: in_force(bridged), 90)
        bridged.kube.delete(POD, "w-3", bridged.namespace, grace_seconds=0)
        eventually(lambda: usable(bridged, "w-3"), 90)
        # Before slurmctld is told, such a node can run nothing.
        words = ("srun", "--immediate=5", "--nodelist=w-3", "printenv", "SLURM_TOPOLOGY_ADDR")
        eventually(lambda: bridged.run(*words).stdout == "root.s1.w-3\n", 60)
    finally:
        describe(bridged, topology=None)
    eventually(lambda: in_force(bridged), 90)


def test_foreign_edit_is_put_right_and_told(bridged):
    change = {"spec": {"publishNotReadyAddresses": False}}
    bridged.kube.merge(SERVICE, "slurmctld", change, bridged.namespace)
    eventually(
        lambda: bridged.kube.get(SERVICE, "slurmctld", bridged.namespace)["spec"][
            "publishNotReadyAddresses"
        ],
        30,
    )
    # The Event follows when everything of the round is done.
    eventually(
        lambda: any(
            "Service/slurmctld" in one["message"]
            for one in bridged.kube.list(EVENT, bridged.namespace)
            if one["reason"] == "PutRight"
        ),
        10,
        what="the Event that says so",
    )


def test_new_shape_replaces_workers_and_spares_the_job(bridged):
    before = {name: bridged.pod(name).uid for name in workers(bridged)}
    job = bridged.submit("sleep 15", "--nodelist=w-0")
    eventually(lambda: bridged.slurm.job(job).state is JobState.RUNNING, 30)
    try:
        change = {"spec": {"memory": "1200Mi"}}
        bridged.kube.merge(NODE_SET, "w", change, bridged.namespace)
        eventually(
            lambda: all(bridged.pod(f"w-{n}").uid != before[f"w-{n}"] for n in (1, 2, 3)), 120
        )
        done = eventually(lambda: (one := bridged.slurm.job(job)).ended and one, 60)
        assert (done.state, done.restart_count) == (JobState.COMPLETED, 0)
        eventually(lambda: bridged.slurm.node(NodeName("w-0")).real_memory_mib == 1200 - 128, 90)
    finally:
        bridged.kube.merge(NODE_SET, "w", {"spec": {"memory": "1Gi"}}, bridged.namespace)
    eventually(
        lambda: (
            {one.real_memory_mib for one in bridged.slurm.nodes()} == {896}
            and len(bridged.slurm.nodes()) == 4
        ),
        180,
    )


def test_one_worker_on_each_kubernetes_node(bridged):
    shape = {"cpuRequest": "20m", "memoryRequest": "32Mi", "placement": "perNode"}
    place = {"name": "each", "namespace": bridged.namespace}
    bridged.kube.create(
        {"apiVersion": NODE_SET.api_version, "kind": "NodeSet", "metadata": place, "spec": shape}
    )
    try:
        eventually(lambda: all(usable(bridged, name) for name in ("node1", "node2")), 90)
        assert {name: bridged.pod(name).node for name in ("node1", "node2")} == {
            "node1": "node1",
            "node2": "node2",
        }
        assert bridged.run("srun", "--nodelist=node2", "hostname").stdout == "node2\n"
    finally:
        bridged.kube.delete(NODE_SET, "each", bridged.namespace)
    eventually(lambda: set(records(bridged)) == {f"w-{n}" for n in range(4)}, 90)
