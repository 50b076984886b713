"""The chart on the real cluster: two bridges in Pods, with no more rights than the chart gives."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sunk.model.kube import (
    CUSTOM_RESOURCE_DEFINITION,
    LEASE,
    NODE,
    NODE_SET,
    POD,
    SLURM_CLUSTER,
    Kind,
    name_of,
)
from sunk.model.slurm import JobState
from sunk.plan.lease import Timing
from sunk.render.crds import render_crds
from sunk.wellknown import BRIDGE_LEASE
from tests.support.chart import CHART, helm
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
TIMING = Timing()
BRIDGES = "app.kubernetes.io/name=sunk-bridge"


@pytest.fixture(scope="module")
def installed(site: RunningSite) -> Iterator[RunningSite]:
    """The tests' cluster with a second bridge beside the first."""
    upgrade(site, replicas=2)
    yield site
    upgrade(site, replicas=1)


def upgrade(site: RunningSite, *, replicas: int) -> None:
    place = ("--namespace", site.namespace, "--kubeconfig", site.local.layout.kubeconfig)
    words = ("--reuse-values", "--set", f"replicas={replicas}", "--wait", "--timeout", "180s")
    done = helm("upgrade", "sunk", CHART, *place, *words, within_seconds=240)
    assert done.returncode == 0, done.stdout + done.stderr


def leader(site: RunningSite) -> str:
    """Return the Pod that leads; empty while none does."""
    spec = site.kube.get(LEASE, BRIDGE_LEASE, site.namespace)["spec"]
    return str(spec.get("holderIdentity") or "").partition("_")[0]


def log_of(site: RunningSite, pod: str) -> list[dict]:
    return [json.loads(line) for line in site.kube.logs(pod, site.namespace).splitlines()]


def cordon(site: RunningSite, machine: str, *, on: bool) -> None:
    site.kube.merge(NODE, machine, {"spec": {"unschedulable": on}})


def drained(site: RunningSite) -> set[str]:
    return {str(node.name) for node in site.slurm.nodes() if node.drain}


def workers_on(site: RunningSite, machine: str) -> set[str]:
    return {pod.name for pod in site.kube.pods(site.namespace) if pod.node == machine} & {
        f"w-{number}" for number in range(4)
    }


def test_bridge_in_a_pod_drains_and_resumes_with_the_rights_of_the_chart(installed):
    # One that an upgrade replaced may still be going.
    eventually(lambda: len(installed.kube.pods(installed.namespace, BRIDGES)) == 2, 30)
    pods = {pod.name for pod in installed.kube.pods(installed.namespace, BRIDGES)}
    assert eventually(lambda: leader(installed), 30) in pods
    machine = installed.pod("w-0").node
    eventually(lambda: "SlurmNodeStateIdle" in installed.pod("w-0").conditions, 60)
    cordon(installed, machine, on=True)
    try:
        eventually(lambda: drained(installed) == workers_on(installed, machine), 20)
    finally:
        cordon(installed, machine, on=False)
    eventually(lambda: drained(installed) == set(), 20)
    for pod in sorted(pods):
        assert [one for one in log_of(installed, pod) if "HTTP 403" in one.get("why", "")] == []


def test_leader_that_is_replaced_hands_over_within_a_retry(installed):
    before = eventually(lambda: leader(installed), 30)
    installed.kube.delete(POD, before, installed.namespace)
    # Its round ends first, and a machine of two cores takes its time.
    eventually(lambda: leader(installed) not in {"", before}, TIMING.lease_seconds - 1)


def test_leader_that_is_killed_is_followed_once_its_lease_is_over(installed):
    before = eventually(lambda: leader(installed), 30)
    installed.kube.delete(POD, before, installed.namespace, grace_seconds=0)
    within = TIMING.lease_seconds + 2 * TIMING.retry_seconds + 5
    eventually(lambda: leader(installed) not in {"", before}, within)
    eventually(
        lambda: all(pod.ready for pod in installed.kube.pods(installed.namespace, BRIDGES)), 120
    )


def workers(site: RunningSite) -> dict[str, str]:
    found = site.kube.pods(site.namespace, "app.kubernetes.io/name=slurmd")
    return {pod.name: pod.uid for pod in found if not pod.deleting}


def test_uninstall_leaves_cluster_and_jobs_alone_and_an_install_carries_out_what_was_wished(
    site: RunningSite,
):
    place = ("--namespace", site.namespace, "--kubeconfig", site.local.layout.kubeconfig)
    values = helm("get", "values", "sunk", *place, "--output", "json", within_seconds=60).stdout
    before = workers(site)
    job = site.submit("sleep 20", "--nodelist=w-0")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    gone = helm("uninstall", "sunk", *place, "--wait", within_seconds=240)
    assert gone.returncode == 0, gone.stderr
    try:
        eventually(lambda: site.kube.pods(site.namespace, BRIDGES) == (), 60)
        site.kube.merge(NODE_SET, "w", {"spec": {"replicas": 3}}, site.namespace)
        done = eventually(lambda: (one := site.slurm.job(job)).ended and one, 90)
        assert (done.state, done.exit_code, done.restart_count) == (JobState.COMPLETED, 0, 0)
        assert site.run("srun", "--nodelist=w-3", "hostname").stdout == "w-3\n"
        assert workers(site) == before
    finally:
        words = ("--skip-crds", "--values", "-", "--wait", "--timeout", "180s")
        back = helm("install", "sunk", CHART, *place, *words, text=values, within_seconds=240)
        assert back.returncode == 0, back.stderr
    try:
        eventually(lambda: len(workers(site)) == 3, 60)
    finally:
        site.kube.merge(NODE_SET, "w", {"spec": {"replicas": 4}}, site.namespace)
    eventually(lambda: len(site.slurm.nodes()) == 4, 90)
    eventually(lambda: all(site.pod(name).ready for name in before), 60)


SERVICE_MONITOR = Kind(
    api_version="monitoring.coreos.com/v1", name="ServiceMonitor", plural="servicemonitors"
)
MONITORS = "servicemonitors.monitoring.coreos.com"
MONITOR_DEFINITION = {
    # Stands in for the Prometheus operator's own, which is not on this cluster: any spec is taken.
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": MONITORS},
    "spec": {
        "group": "monitoring.coreos.com",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def test_rollback_takes_an_upgrade_back_under_a_running_job(site: RunningSite):
    place = ("--namespace", site.namespace, "--kubeconfig", site.local.layout.kubeconfig)
    words = ("--wait", "--timeout", "180s")
    before = workers(site)
    job = site.submit("sleep 600", "--nodelist=w-0")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    site.kube.apply(MONITOR_DEFINITION)
    try:
        eventually(lambda: "established" in str(found(site, MONITORS, "status")).lower(), 30)
        value = ("--reuse-values", "--set", "metrics.serviceMonitor.enabled=true")
        done = helm("upgrade", "sunk", CHART, *place, *value, *words, within_seconds=240)
        assert done.returncode == 0, done.stderr
        assert monitors(site) == ["sunk-bridge"]
        done = helm("rollback", "sunk", *place, *words, within_seconds=240)
        assert done.returncode == 0, done.stderr
        assert monitors(site) == []
        machine = site.pod("w-1").node
        cordon(site, machine, on=True)
        eventually(lambda: drained(site) == workers_on(site, machine), 60)
        cordon(site, machine, on=False)
        eventually(lambda: drained(site) == set(), 60)
        now = site.slurm.job(job)
        assert (now.state, now.restart_count, workers(site)) == (JobState.RUNNING, 0, before)
    finally:
        site.slurm.cancel(job)
        site.kube.delete(CUSTOM_RESOURCE_DEFINITION, MONITORS)


def monitors(site: RunningSite) -> list[str]:
    return [name_of(one) for one in site.kube.list(SERVICE_MONITOR, site.namespace)]


def test_definitions_are_upgraded_under_a_running_cluster(site: RunningSite):
    name = f"slurmclusters.{SLURM_CLUSTER.api_version.partition('/')[0]}"
    (wanted,) = [one for one in render_crds() if one["metadata"]["name"] == name]
    before = workers(site)
    older = json.loads(json.dumps(wanted))
    schema = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["isolation"]
    site.kube.apply(older)
    eventually(lambda: "isolation" not in json.dumps(found(site, name)), 30)
    site.kube.apply(wanted)
    eventually(lambda: "isolation" in json.dumps(found(site, name)), 30)
    cluster = site.site.cluster.name
    eventually(lambda: site.kube.get(SLURM_CLUSTER, cluster, site.namespace), 30)
    assert workers(site) == before


def found(site: RunningSite, name: str, part: str = "spec") -> dict:
    return dict(site.kube.get(CUSTOM_RESOURCE_DEFINITION, name).get(part, {}))
