"""The template ``ray`` with a real Ray, on worker Pods that have room for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sunk.local.software.python_environment import RAY
from sunk.model.kube import NODE_SET
from sunk.model.slurm import NodeName, NodeState
from sunk_jobs.outputs.results import RAY_NODES
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.nightly, pytest.mark.timeout(900)]

WORKERS = ("big-0", "big-1")
SHAPE = {
    **{"replicas": len(WORKERS), "cpu": "2", "memory": "3Gi"},
    **{"cpuRequest": "50m", "memoryRequest": "64Mi"},
}


@pytest.fixture
def workers(site: RunningSite) -> Iterator[None]:
    """Two workers with two CPUs and 3 GiB each, beside the others."""
    place = {"name": "big", "namespace": site.namespace}
    # What shared software Pods see stands in their NodeSet.
    others = site.kube.get(NODE_SET, "w", site.namespace)["spec"]
    spec = SHAPE | {"pod": others["pod"]}
    site.kube.create(
        {"apiVersion": NODE_SET.api_version, "kind": "NodeSet", "metadata": place, "spec": spec}
    )
    try:
        eventually(lambda: all(idle(site, name) for name in WORKERS), 90, what="the workers")
        yield
    finally:
        site.kube.delete(NODE_SET, "big", site.namespace)
        # The next test file counts the workers that there are.
        eventually(
            lambda: not any(one.name in WORKERS for one in site.slurm.nodes()), 90, what="leave"
        )


def idle(site: RunningSite, name: str) -> bool:
    node = site.slurm.node(NodeName(name))
    return node.state is NodeState.IDLE and not node.drain


def test_every_worker_of_a_ray_cluster_makes_and_reads_blocks(site: RunningSite, workers: None):
    words = ("nodes=2", "cpusPerTask=2", "memoryPerNode=2500")
    settings = [word for setting in words for word in ("--set", setting)]
    script = 'PATH=$1/bin:$PATH; shift; cd && exec sunk job submit ray --follow "$@"'
    done = site.run("bash", "-c", script, "bash", RAY.mount_path, *settings, within_seconds=500)
    assert done.status == 0, done.stdout + done.stderr
    said = [line for line in (done.stdout + done.stderr).splitlines() if RAY_NODES in line]
    result = json.loads(said[-1].partition("| ")[2])
    assert (result["correct"], result["wrong_blocks"]) == (True, 0)
    assert result["hosts"] == list(WORKERS)
