"""A bridge in the test's process, on the real cluster, whose own bridge is away meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sunk.bridge.loop import Bridge
from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.local.chart import BRIDGE
from sunk.model.kube import NODE_SET
from sunk.wiring.bridge import Connected, bridge_of
from tests.support.chart import CHART, helm
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

FOUR = {"w-0", "w-1", "w-2", "w-3"}


@contextmanager
def alone(site: RunningSite) -> Iterator[None]:
    """No bridge of the cluster's own acts meanwhile; it begins again with four usable workers."""

    def scale(replicas: int) -> None:
        # By Helm: whoever writes replicas otherwise owns the field, and Helm refuses ever after.
        place = ("--namespace", site.namespace, "--kubeconfig", site.local.layout.kubeconfig)
        words = ("--reuse-values", "--set", f"replicas={replicas}")
        done = helm("upgrade", "sunk", CHART, *place, *words, within_seconds=240)
        assert done.returncode == 0, done.stdout + done.stderr

    def bridges() -> int:
        return len(site.kube.pods(site.namespace, f"app.kubernetes.io/name={BRIDGE}"))

    scale(0)
    eventually(lambda: bridges() == 0, 60)
    try:
        yield
    finally:
        wanted(site, 4)
        scale(1)
        eventually(lambda: {str(one.name) for one in site.slurm.nodes()} == FOUR, 120)
        eventually(lambda: all(site.pod(name).ready for name in FOUR), 60)


def own_bridge(site: RunningSite, kube: Kube, slurm: SlurmClient) -> Bridge:
    """A bridge over these clients that believes what it reads."""
    cluster, namespace = site.site.cluster.name, site.namespace
    made = bridge_of(Connected(kube=kube, slurm=slurm, cluster=cluster, namespace=namespace))
    eventually(lambda: not made.round().doubtful, 30)
    return made


def wanted(site: RunningSite, replicas: int) -> None:
    site.kube.merge(NODE_SET, "w", {"spec": {"replicas": replicas}}, site.namespace)


def pods(site: RunningSite) -> dict[str, str]:
    """UID of each worker Pod that is not going."""
    found = site.kube.pods(site.namespace, "app.kubernetes.io/name=slurmd")
    return {pod.name: pod.uid for pod in found if not pod.deleting}


def rounds_until(bridge: Bridge, done: Callable[[], bool], what: str, seconds: int = 60) -> None:
    def step() -> bool:
        bridge.round()
        return done()

    eventually(step, seconds, what=what)
