"""Up, down, killed, twice at once, elsewhere: what is left and what is shared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sunk.clients.kube.protocol import Kube
from sunk.errors import EnvironmentFault
from sunk.local import cgroups, network, pids
from sunk.local.cluster import LocalCluster, Parameters, read_hierarchies
from sunk.local.layout import Layout
from sunk.local.machine import SYSCTLS
from sunk.model.kube import NAMESPACE, NODE_SET, SLURM_CLUSTER, name_of
from sunk.wiring import clients
from sunk.wiring import local as wiring
from tests.support import audit
from tests.support.cluster import RunningSite, local_settings, reporter
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SUNK = Path(sys.executable).parent / "sunk"


def traces(layout: Layout) -> dict[str, object]:
    """What of a cluster is on the machine: processes, mounts, namespaces, cgroups, files."""
    marks = (str(layout.home), f"/run/netns/{layout.namespace}")
    return {
        "processes": [pid for pid in every_pid() if any(m in cmdline(pid) for m in marks)],
        "mounts": [line for line in read("/proc/self/mountinfo") if str(layout.home) in line],
        "namespaces": list(network.leftovers(layout)),
        "cgroups": [
            str(root / layout.cgroup)
            for root in read_hierarchies().roots
            if (root / layout.cgroup).exists()
        ],
        "files": [str(layout.home)] if layout.home.exists() else [],
    }


def every_pid() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def read(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def listeners() -> set[str]:
    """Addresses that somebody listens on in the machine's own network namespace."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in read(f"/proc/net/{name}")[1:]]
    return {words[1] for words in lines if words[3] == "0A"}


def loopback(port: int) -> str:
    return f"0100007F:{port:04X}"


@pytest.fixture
def second(request) -> LocalCluster:
    """A second local cluster, without Slurm, up beside the tests' first."""
    local = wiring.local_cluster("tests-second", local_settings(), reporter())
    local.down()
    request.addfinalizer(local.down)
    return local


def parts():
    return wiring.node_parts(wiring.ensure_software(local_settings(), reporter()))


def test_down_leaves_nothing_and_the_other_cluster_alone(site: RunningSite, second: LocalCluster):
    before, sysctls = listeners(), {key: read(f"/proc/sys/{key}") for key in SYSCTLS}
    second.up(Parameters(node_count=1), parts())
    parameters = second.parameters()
    added = {loopback(parameters.api_port), loopback(parameters.ssh_port)}
    assert listeners() - before == added
    assert traces(second.layout)["processes"]
    assert second.down() is True
    assert traces(second.layout) == {
        "processes": [],
        "mounts": [],
        "namespaces": [],
        "cgroups": [],
        "files": [],
    }
    assert listeners() == before
    assert {key: read(f"/proc/sys/{key}") for key in SYSCTLS} == sysctls
    assert site.kube.ready()


def test_taking_down_what_is_not_there_is_fine_and_says_so(second: LocalCluster):
    assert second.down() is False


def test_everything_killed_then_up_goes_on_where_things_stood(second: LocalCluster):
    kube = second.up(Parameters(node_count=1), parts())
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}})
    for file in second.layout.run.glob("*.pid"):
        identity = pids.read(file)
        if identity is not None:
            os.kill(identity.pid, signal.SIGKILL)
    eventually(lambda: {part.state for part in second.status()} <= {"stopped", "off"}, 20)
    assert network.leftovers(second.layout) != ()
    kube = second.up(Parameters(node_count=1), parts())
    assert kube.get(NAMESPACE, "kept")["status"]["phase"] == "Active"
    assert {part.state for part in second.status()} == {"running", "ready"}


def test_everything_killed_then_down_leaves_nothing(second: LocalCluster):
    second.up(Parameters(node_count=1), parts())
    for file in second.layout.run.glob("*.pid"):
        identity = pids.read(file)
        if identity is not None:
            os.kill(identity.pid, signal.SIGKILL)
    assert second.down() is True
    assert not any(traces(second.layout).values())


def test_simulated_gpus_are_advertised_and_one_can_break(second: LocalCluster):
    kube = second.up(Parameters(node_count=1, gpus=2), parts())

    def allocatable() -> str | None:
        return kube.nodes()[0].allocatable.get("nvidia.com/gpu")

    eventually(lambda: allocatable() == "2", 30)
    (second.layout.home / "node1" / "dev" / "nvidia1.unhealthy").touch()
    eventually(lambda: allocatable() == "1", 30)


def test_demo_on_another_cluster_touches_its_own_namespace_only(
    site: RunningSite, tmp_path: Path, request
):
    kubeconfig = tmp_path / "other.kubeconfig"
    kubeconfig.write_text(site.local.layout.kubeconfig.read_text())
    kube = clients.connect_kube(kubeconfig)
    request.addfinalizer(kube.close)
    untouched = {pod.uid for pod in kube.pods(site.namespace)}
    words = [SUNK, "demo", "--kubeconfig", kubeconfig, "--namespace", "stranger"]
    environment = {**os.environ, "SUNK_STATE_DIR": str(tmp_path / "state")}
    asked = subprocess.run(
        words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert asked.returncode == 2
    assert "namespace: stranger" in asked.stderr
    assert "stranger" not in {one["metadata"]["name"] for one in kube.list(NAMESPACE)}
    done = subprocess.run(
        [*words, "--yes", "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert '"correct": true' in done.stdout
    take_apart(kube, "stranger")
    assert {pod.uid for pod in kube.pods(site.namespace)} == untouched
    # From nothing to a job's end and to nothing again: all that a bridge ever does.
    log, user = site.local.layout.audit_log, "system:serviceaccount:stranger:sunk-bridge"
    assert audit.refused(log, user) == []
    assert audit.used(log, user) - audit.optional() == audit.granted() - audit.optional()


def take_apart(kube: Kube, namespace: str) -> None:
    """End the workers, then the daemons, then delete the namespace, as the demo says."""
    for kind in (NODE_SET, SLURM_CLUSTER):
        for one in kube.list(kind, namespace):
            kube.delete(kind, name_of(one), namespace)
    eventually(lambda: not kube.list(SLURM_CLUSTER, namespace), 120)
    kube.delete(NAMESPACE, namespace)


def test_environment_variable_alone_redirects_nothing(site: RunningSite, tmp_path: Path):
    done = subprocess.run(
        [SUNK, "local", "kubectl", "--name", "tests", "get", "nodes", "-o", "name"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KUBECONFIG": str(tmp_path / "elsewhere")},
    )
    assert done.stdout.split() == ["node/node1", "node/node2"]


def test_two_commands_never_work_on_one_cluster_at_once(second: LocalCluster):
    from sunk.local.machine import Machine

    with (
        Machine().exclusively("tests-second", "bring up"),
        pytest.raises(EnvironmentFault, match="another sunk command"),
    ):
        second.up(Parameters(node_count=1), parts())


def test_cgroup_hierarchies_of_this_machine_are_understood():
    assert read_hierarchies().version in {1, 2}
    assert cgroups.members(read_hierarchies(), "sunk/no-such-cluster") == ()
