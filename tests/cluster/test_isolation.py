"""A job that wants more memory than there is for it, in both isolations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk.local.chart import ChartPlace
from sunk.local.slurm_site import SlurmSite, put_slurm_on
from sunk.model.kube import NAMESPACE, NODE_SET, POD, SLURM_CLUSTER, name_of
from sunk.model.slurm import JobState, NodeName, NodeState
from sunk.render.description import read_description
from sunk.wiring import clients
from sunk.wiring import local as wiring
from tests.support.cluster import RunningSite, local_settings, reporter
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

GREEDY = "python3 -c 'import itertools; x = [bytearray(2**23) for _ in itertools.count()]'"
"""Takes memory until it is stopped."""
ISOLATED = """\
apiVersion: sunk.dev/v1alpha1
kind: SlurmCluster
metadata: {name: isolated, namespace: isolated}
spec:
  isolation: cgroup
  podSecurity: privileged
  users:
    - {name: alice, uid: 2001}
---
apiVersion: sunk.dev/v1alpha1
kind: NodeSet
metadata: {name: c, namespace: isolated}
spec: {replicas: 1, cpu: "1", memory: 384Mi, memoryOverhead: 128Mi}
"""


@pytest.fixture
def guaranteed(site: RunningSite) -> Iterator[str]:
    """A worker whose requests are its limits, as they are unless somebody says otherwise."""
    spec = {"replicas": 1, "cpu": "1", "memory": "384Mi", "memoryOverhead": "128Mi"}
    meta = {"name": "g", "namespace": site.namespace}
    site.kube.create(
        {"apiVersion": NODE_SET.api_version, "kind": "NodeSet", "metadata": meta, "spec": spec}
    )
    try:
        eventually(lambda: site.slurm.node(NodeName("g-0")).state is NodeState.IDLE, 90)
        yield "g-0"
    finally:
        site.kube.delete(NODE_SET, "g", site.namespace)
        eventually(lambda: "g-0" not in {str(one.name) for one in site.slurm.nodes()}, 90)


def test_job_over_its_pods_memory_is_killed_alone_and_its_worker_stays(
    site: RunningSite, guaranteed: str
):
    eventually(lambda: site.pod(guaranteed).ready, 60)
    before = site.pod(guaranteed)
    job = site.submit(f"exec {GREEDY}", f"--nodelist={guaranteed}")
    done = eventually(lambda: (one := site.slurm.job(job)).ended and one, 90)
    assert (done.state, done.exit_signal) == (JobState.FAILED, 9)
    assert site.run("srun", f"--nodelist={guaranteed}", "hostname").stdout == f"{guaranteed}\n"
    after = site.pod(guaranteed)
    assert (after.uid, after.restarts, after.ready) == (before.uid, before.restarts, True)


@pytest.fixture
def isolated(site: RunningSite, tmp_path: Path) -> Iterator[SlurmSite]:
    """A second Slurm cluster, whose jobs have cgroups, in a namespace of its own."""
    settings = local_settings()
    software = wiring.ensure_software(settings, reporter())
    cluster = wiring.with_images(read_description(ISOLATED, source="isolated"), software)
    place = ChartPlace(
        helm=software.helm,
        kubeconfig=site.local.layout.kubeconfig,
        context=None,
        scratch=tmp_path / "helm",
        image=software.image("bridge").content_name,
    )
    try:
        yield put_slurm_on(site.kube, cluster, tmp_path, place, reporter())
    finally:
        for kind in (NODE_SET, SLURM_CLUSTER):
            for one in site.kube.list(kind, "isolated"):
                site.kube.delete(kind, name_of(one), "isolated")
        eventually(lambda: not site.kube.list(SLURM_CLUSTER, "isolated"), 120)
        site.kube.delete(NAMESPACE, "isolated")


def test_job_over_its_own_memory_in_a_cgroup_is_out_of_memory_and_the_next_one_runs(
    site: RunningSite, isolated: SlurmSite
):
    pod = site.kube.get(POD, "c-0", "isolated")
    assert pod["status"]["qosClass"] == "Guaranteed"
    as_alice = ("setpriv", "--reuid=2001", "--regid=2001", "--clear-groups", "env", "-C", "/tmp")

    def login(*argv: str) -> str:
        # Through the login Pod itself: its way in from outside is another test's.
        done = site.kube.execute("login-0", "isolated", [*as_alice, *argv], container="sshd")
        assert done.status == 0, done.stderr
        return done.stdout

    wrapped = ("sbatch", "--parsable", "--output=/dev/null", "--oversubscribe")
    greedy = int(login(*wrapped, "--mem=64M", "--wrap", f"exec {GREEDY}"))
    slurm = clients.connect_slurm(site.kube, "isolated", isolated.keys)
    done = eventually(lambda: (one := slurm.job(greedy)).ended and one, 90)
    assert done.state is JobState.OUT_OF_MEMORY
    node = slurm.node(NodeName("c-0"))
    assert (node.state, node.drain) == (NodeState.IDLE, False)
    modest = int(login(*wrapped, "--mem=128M", "--wrap", "true"))
    done = eventually(lambda: (one := slurm.job(modest)).ended and one, 90)
    assert (done.state, done.exit_code) == (JobState.COMPLETED, 0)
