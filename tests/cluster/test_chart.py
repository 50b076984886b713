"""The chart on the real cluster: two bridges in Pods, with no more rights than the chart gives."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sunk.model.kube import LEASE, NODE, POD
from sunk.plan.lease import Timing
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
    pods = {pod.name for pod in installed.kube.pods(installed.namespace, BRIDGES)}
    assert len(pods) == 2
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
