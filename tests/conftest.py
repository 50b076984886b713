"""Fixtures of more than one layer: where the real Slurm comes from, and one that runs."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk.local.cluster import Parameters
from sunk.wiring import local as wiring
from tests.support.cluster import RunningSite, bring_up, local_settings, reporter
from tests.support.examples import load_profile
from tests.support.slurm_namespace import SlurmNamespace

load_profile()
# A run started in the background of a shell inherits that Ctrl-C is ignored, and so would every
# program that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


_SHARED: list[SlurmNamespace] = []


@pytest.fixture(scope="module", autouse=True)
def no_job_for_the_next_file() -> Iterator[None]:
    """End what a file's tests left running in the shared cluster: the next one's would wait."""
    yield
    for namespace in _SHARED:
        left = namespace.run("squeue", "--noheader", "-o", "%A", check=False).stdout.split()
        if left:
            namespace.run("scancel", *left, check=False)


@pytest.fixture(scope="session")
def slurm_rootfs() -> Path:
    """The root file system of the slurm image, as the local cluster's software has it."""
    return wiring.ensure_software(local_settings(), reporter()).slurm_rootfs


@pytest.fixture(scope="session")
def fabric_rootfs() -> Path:
    """The root file system with ibsim, opensm and infiniband-diags."""
    return wiring.ensure_fabric_tools(local_settings(), reporter()).rootfs


@pytest.fixture(scope="session")
def slurm_namespace(
    slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SlurmNamespace]:
    """A running cluster of three idle nodes, shared by the session."""
    folder = tmp_path_factory.mktemp("slurm")
    namespace = SlurmNamespace(rootfs=slurm_rootfs, folder=folder, nodes=("w1", "w2", "w3"))
    namespace.start()
    _SHARED.append(namespace)
    try:
        yield namespace
    finally:
        _SHARED.remove(namespace)
        namespace.stop()
        shutil.rmtree(folder)


DESCRIPTION = """\
apiVersion: sunk.dev/v1alpha1
kind: SlurmCluster
metadata: {name: tests, namespace: slurm}
spec:
  users:
    - {name: alice, uid: 2001}
  login: {serviceType: NodePort, nodePort: 30022}
  slurmConf: {SlurmdTimeout: "20", PreemptType: preempt/qos, PreemptMode: REQUEUE}
---
apiVersion: sunk.dev/v1alpha1
kind: NodeSet
metadata: {name: w, namespace: slurm}
spec: {replicas: 4, cpu: "1", memory: 1Gi, cpuRequest: 50m, memoryRequest: 64Mi}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """A cluster of two Kubernetes nodes with Slurm, shared by the layer."""
    file = tmp_path_factory.mktemp("description") / "cluster.yaml"
    file.write_text(DESCRIPTION)
    running = bring_up("tests", Parameters(node_count=2), file)
    yield running
    running.local.down()


@pytest.fixture(scope="session")
def kube_cluster(site: RunningSite) -> RunningSite:
    """A real Kubernetes for the contract suite."""
    return site
