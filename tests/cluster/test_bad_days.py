"""What an administrator who was burned before tries: kills, stops, full disks, taken ports."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sunk.errors import EnvironmentFault
from sunk.local import daemons, network, pids
from sunk.local.cluster import LocalCluster, Parameters, read_hierarchies
from sunk.local.layout import Layout, cluster_layout, namespace_path
from sunk.wiring import local as wiring
from tests.support.cluster import local_settings, reporter
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SUNK = Path(sys.executable).parent / "sunk"
NAME = "bad-days"
ONE = Parameters(node_count=1)
UP = ("local", "up", "--name", NAME, "--nodes", "1", "--no-slurm")
HEALTHY = {"running", "ready"}


@pytest.fixture(scope="module")
def parts():
    return wiring.node_parts(wiring.ensure_software(local_settings(), reporter()))


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A local cluster that is down before and after."""
    local = wiring.local_cluster(NAME, local_settings(), reporter())
    local.down()
    yield local
    local.down()


@pytest.fixture(scope="module")
def standing(parts) -> Iterator[LocalCluster]:
    """A local cluster that is up; who breaks it also mends it."""
    local = wiring.local_cluster(NAME + "-2", local_settings(), reporter())
    local.down()
    local.up(ONE, parts)
    yield local
    local.down()


def run(*words: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [SUNK, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextmanager
def begun(marker: str, words: Sequence[str] = UP) -> Iterator[subprocess.Popen[str]]:
    """Start the command and go on once it announces `marker`; what is left of it is killed."""
    with subprocess.Popen([SUNK, *words], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        said = ""
        for line in child.stderr:
            said += line
            if marker in line:
                break
        else:
            raise AssertionError(f"it never said {marker!r}: {said}")
        yield child
        child.kill()


def killed_at(marker: str, words: Sequence[str] = UP) -> None:
    with begun(marker, words) as child:
        child.kill()


def left(layout: Layout) -> list[object]:
    """What of a cluster is on the machine."""
    roots = read_hierarchies().roots
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [
        *daemons.marked(layout.home),
        *network.leftovers(layout),
        *(root for root in roots if (root / layout.cgroup).exists()),
        *(line for line in mounts if str(layout.home) in line),
        *([layout.home] if layout.home.exists() else []),
    ]


def states(local: LocalCluster) -> set[str]:
    return {part.state for part in local.status()}


def pid_of(local: LocalCluster, name: str) -> int:
    identity = pids.read(local.layout.pid_file(name))
    assert identity is not None
    return identity.pid


STEPS = (
    "control plane: start",
    "control plane: starting etcd",
    "nodes: booting node1",
    "cluster services: waiting",
)


@pytest.mark.parametrize("step", STEPS)
def test_up_killed_at_a_step_is_taken_down_whole_or_completed(
    cluster: LocalCluster, parts, step: str
):
    killed_at(step)
    assert cluster.down() is True
    assert left(cluster.layout) == []
    killed_at(step)
    cluster.up(ONE, parts)
    assert states(cluster) == HEALTHY


def test_down_killed_midway_is_completed_by_the_next(cluster: LocalCluster, parts):
    cluster.up(ONE, parts)
    killed_at("stop control plane: start", ("local", "down", "--name", NAME))
    cluster.down()
    assert left(cluster.layout) == []


def test_interrupted_up_is_130_without_a_traceback_and_goes_on_later(cluster: LocalCluster, parts):
    with begun("nodes: booting node1") as child:
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=240)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert "run the same command again to go on" in err
    cluster.up(ONE, parts)
    assert states(cluster) == HEALTHY


def test_second_command_meanwhile_is_told_who_works_on_the_cluster(cluster: LocalCluster):
    with begun("control plane: start") as child:
        done = run("local", "down", "--name", NAME)
        _, err = child.communicate(timeout=360)
    assert done.returncode == 3
    assert f"another sunk command (pid {child.pid}: bring up) works on it" in done.stderr
    assert child.returncode == 0, err
    assert states(cluster) == HEALTHY


def test_lost_pid_files_do_not_keep_processes_alive(cluster: LocalCluster, parts):
    cluster.up(ONE, parts)
    for file in cluster.layout.run.glob("*.pid"):
        file.unlink()
    cluster.up(ONE, parts)
    assert states(cluster) == HEALTHY
    for file in cluster.layout.run.glob("*.pid"):
        file.unlink()
    assert cluster.down() is True
    assert left(cluster.layout) == []


def test_state_folder_that_somebody_removed_is_taken_down(cluster: LocalCluster, parts):
    cluster.up(ONE, parts)
    subprocess.run(["rm", "-rf", "--one-file-system", cluster.layout.home], check=False)
    assert cluster.down() is True
    assert left(cluster.layout) == []


def test_network_that_somebody_removed_is_made_anew(standing: LocalCluster, parts):
    subprocess.run(["ip", "netns", "delete", standing.layout.namespace], check=True)
    kube = standing.up(ONE, parts)
    assert kube.ready()
    eventually(lambda: states(standing) == HEALTHY, 60)


@pytest.mark.parametrize("name", ["forward", "volumes"])
def test_helper_that_hangs_is_noticed_and_started_anew(standing: LocalCluster, parts, name: str):
    hanging = pid_of(standing, name)
    os.kill(hanging, signal.SIGSTOP)
    standing.up(ONE, parts)
    assert pid_of(standing, name) != hanging
    assert states(standing) == HEALTHY


@pytest.mark.parametrize(
    ("name", "cause"),
    [("forward", "listen on 127.0.0.1"), ("volumes", "read kubeconfig: no usable one")],
)
def test_helper_that_dies_right_after_its_start_is_said_with_its_last_words(
    standing: LocalCluster, parts, monkeypatch, name: str, cause: str
):
    pids.stop(standing.layout.pid_file(name), grace_seconds=2)
    real = daemons.start

    def start(layout: Layout, what: str, argv: Sequence[str]) -> None:
        words = [sys.executable, "-c", f"import sys; sys.exit('{cause}')"]
        real(layout, what, words if what == name else argv)

    with monkeypatch.context() as patched:
        patched.setattr(daemons, "start", start)
        with pytest.raises(EnvironmentFault) as caught:
            standing.up(ONE, parts)
    assert f"start {name} of cluster {standing.layout.name}: it ended" in caught.value.message
    assert cause in caught.value.message
    standing.up(ONE, parts)
    assert states(standing) == HEALTHY


@pytest.mark.parametrize("name", ["forward", "volumes", "etcd"])
def test_process_that_was_killed_is_started_anew(standing: LocalCluster, parts, name: str):
    os.kill(pid_of(standing, name), signal.SIGKILL)
    eventually(lambda: not daemons.is_running(standing.layout, name), 10)
    standing.up(ONE, parts)
    eventually(lambda: states(standing) == HEALTHY, 60)


def test_port_that_somebody_took_is_left_to_him_and_everything_moves(standing: LocalCluster, parts):
    before = standing.parameters().api_port
    pids.stop(standing.layout.pid_file("forward"), grace_seconds=2)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", before))
        taken.listen()
        kube = standing.up(ONE, parts)
        assert standing.parameters().api_port > before
        assert kube.ready()
        assert states(standing) == HEALTHY


def test_full_disk_is_one_error_and_down_leaves_nothing(tmp_path: Path, parts):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "small", tmp_path], check=True)
    try:
        settings = local_settings()
        local = LocalCluster(
            cluster_layout(NAME, tmp_path),
            wiring.local_cluster(NAME, settings, reporter())._machine,
            wiring.clients.connect_kube,
            reporter(),
        )
        with pytest.raises((EnvironmentFault, OSError), match="No space left on device"):
            local.up(ONE, parts)
        assert local.down() is True
        assert left(local.layout) == []
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_other_size_or_state_folder_is_refused_before_anything_is_built(
    standing: LocalCluster, tmp_path: Path
):
    name = standing.layout.name
    done = run("local", "up", "--name", name, "--nodes", "3", "--cache-dir", tmp_path / "c")
    assert done.returncode == 3
    assert "it exists with 1 nodes of 0 GPUs and 0 rails, not 3 nodes" in done.stderr
    for verb in ("up", "down"):
        done = run("local", verb, "--name", name, "--state-dir", tmp_path / "s")
        assert done.returncode == 3
        assert f"with its state in {standing.layout.state_folder}" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert states(standing) == HEALTHY


def test_user_without_rights_is_told_so_and_nothing_is_made(standing: LocalCluster, tmp_path: Path):
    document = yaml.safe_load(standing.layout.kubeconfig.read_text())
    for field, file in (("client-certificate-data", "crt"), ("client-key-data", "key")):
        raw = (standing.layout.pki / f"scheduler.{file}").read_bytes()
        document["users"][0]["user"][field] = base64.b64encode(raw).decode()
    weak = tmp_path / "weak.kubeconfig"
    weak.write_text(yaml.safe_dump(document))
    doctor = run("doctor", "--kubeconfig", weak, "--output", "json")
    assert doctor.returncode == 1
    assert "may not create namespaces" in doctor.stdout
    demo = run("demo", "--kubeconfig", weak, "--namespace", "weak", "--yes")
    assert demo.returncode == 4
    assert "HTTP 403" in demo.stderr
    assert "ask the cluster's owner for this right" in demo.stderr


def test_namespace_file_without_a_namespace_is_no_obstacle(cluster: LocalCluster, parts):
    path = namespace_path(cluster.layout.namespace)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    cluster.up(ONE, parts)
    assert states(cluster) == HEALTHY
