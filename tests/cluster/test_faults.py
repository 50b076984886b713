"""Each daemon killed once with a job running, a node without power, a cut cable."""

from __future__ import annotations

import pytest

from sunk.model.kube import PERSISTENT_VOLUME_CLAIM
from sunk.model.slurm import NOT_RESPONDING, JobState, NodeName, NodeState
from sunk.wiring import local as wiring
from tests.support.cluster import RunningSite, kill_in_pod, local_settings, reporter
from tests.support.eventually import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

DAEMONS = {
    "slurmctld": ("slurmctld-0", "slurmctld"),
    "slurmdbd": ("slurmdbd-0", "slurmdbd"),
    "mariadb": ("mariadb-0", "mariadbd"),
    "slurmrestd": (None, "slurmrestd"),
    "sshd": ("login-0", "sshd"),
    "sackd": ("login-0", "sackd"),
}


def all_ready(site: RunningSite) -> bool:
    return all(pod.ready for pod in site.kube.pods(site.namespace))


def all_idle(site: RunningSite) -> bool:
    return all(
        node.state is NodeState.IDLE and not node.drain and NOT_RESPONDING not in node.flags
        for node in site.slurm.nodes()
    )


def login_works(site: RunningSite) -> bool:
    """Ready Pods are not enough: kube-proxy of a node that was away may send logins astray."""
    return site.run("true").status == 0


@pytest.fixture(autouse=True)
def healthy_before_and_after(site: RunningSite):
    eventually(lambda: all_ready(site) and all_idle(site) and login_works(site), 120)
    yield
    eventually(lambda: all_ready(site) and all_idle(site) and login_works(site), 180)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_job_runs_on_when_a_daemon_is_killed(site: RunningSite, daemon: str):
    pod_name, program = DAEMONS[daemon]
    job = site.submit("sleep 15; echo survived")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    eventually(lambda: state_is_saved(site, job), 30)
    pod = site.pod(pod_name) if pod_name else site.pod_of(daemon)
    kill_in_pod(pod, program)
    eventually(lambda: site.pod(pod.name).restarts > pod.restarts, 60)
    done = eventually(lambda: ended(site, job), 90)
    assert (done.state, done.exit_code, done.restart_count) == (JobState.COMPLETED, 0, 0)
    eventually(lambda: "survived" in site.run("cat", f"/home/alice/{job}.log").stdout, 60)
    eventually(lambda: "COMPLETED" in site.run("sacct", "-nXj", str(job)).stdout, 60)


def test_job_is_requeued_in_seconds_when_its_worker_is_killed(site: RunningSite):
    job = site.submit("sleep 5", "--nodelist=w-1")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    kill_in_pod(site.pod("w-1"), "slurmd")
    # Slurm by itself would notice after a minute or more; the start hook tells it.
    eventually(lambda: site.slurm.job(job).restart_count == 1, 30)
    done = eventually(lambda: ended(site, job), 90)
    assert (done.state, done.exit_code) == (JobState.COMPLETED, 0)


def test_deleted_worker_pod_returns_under_its_name(site: RunningSite):
    from sunk.model.kube import POD

    before = site.pod("w-2")
    site.kube.delete(POD, "w-2", site.namespace, grace_seconds=0)
    eventually(lambda: (pod := site.pod("w-2")).ready and pod.uid != before.uid, 90)
    eventually(lambda: site.slurm.node(NodeName("w-2")).state is NodeState.IDLE, 60)


def test_power_loss_of_a_kubernetes_node_requeues_its_job_and_the_node_comes_back(
    site: RunningSite,
):
    control = {site.pod(f"{name}-0").node for name in ("slurmctld", "slurmdbd", "mariadb")}
    lost = next((name for name in ("node1", "node2") if name not in control), None)
    if lost is None:
        lost = "node1" if site.pod("slurmctld-0").node == "node2" else "node2"
    worker = next(f"w-{n}" for n in range(4) if site.pod(f"w-{n}").node == lost)
    job = site.submit("sleep 8", f"--nodelist={worker}")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 30)
    site.local.kill_node(lost)
    try:
        eventually(lambda: not kube_ready(site, lost), 60)
        eventually(lambda: site.slurm.node(NodeName(worker)).state is NodeState.DOWN, 120)
        eventually(lambda: site.slurm.job(job).restart_count == 1, 60)
    finally:
        told = reporter()
        parts = wiring.node_parts(wiring.ensure_software(local_settings(), told))
        site.local.start_node(lost, parts)
    eventually(lambda: site.slurm.node(NodeName(worker)).state is not NodeState.DOWN, 120)
    done = eventually(lambda: ended(site, job), 120)
    assert (done.state, done.exit_code) == (JobState.COMPLETED, 0)


def test_cut_node_is_not_ready_and_heals(site: RunningSite):
    lost = "node1" if site.pod("slurmctld-0").node == "node2" else "node2"
    site.local.set_cable(lost, connected=False)
    try:
        eventually(lambda: not kube_ready(site, lost), 60)
        assert {part.name: part.state for part in site.local.status()}[lost] == "cut"
    finally:
        site.local.set_cable(lost, connected=True)
    eventually(lambda: kube_ready(site, lost), 60)


def state_is_saved(site: RunningSite, job) -> bool:
    """Whether slurmctld wrote its jobs to disk after this one started: it does so every 5 s.

    A job younger than that is lost with slurmctld on SIGKILL; that is Slurm's own promise.
    """
    started = site.slurm.job(job).start_time
    claim = site.kube.get(PERSISTENT_VOLUME_CLAIM, "state", site.namespace)
    saved = site.local.layout.volumes / claim["spec"]["volumeName"] / "job_state"
    return started is not None and saved.stat().st_mtime > started + 1


def ended(site: RunningSite, job):
    found = site.slurm.job(job)
    return found if found.ended else None


def kube_ready(site: RunningSite, name: str) -> bool:
    return {node.name: node.ready for node in site.kube.nodes()}[name] is True
