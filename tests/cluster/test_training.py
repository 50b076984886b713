"""FSDP2 on worker Pods, hit by what hits jobs: it resumes, with the same loss curve bit for bit.

The toolkit renders and submits it as an ordinary user from the login node; torch is the one that
login node and workers mount. A usual run tries two of the faults, `make nightly` all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sunk.model.kube import POD
from sunk.model.slurm import JobId, JobState
from sunk.wellknown import LOGIN_POD, TORCH_FOLDER
from sunk.wiring import local as wiring
from tests.support.cluster import (
    RunningSite,
    kill_in_pod,
    local_settings,
    processes_in_pod,
    reporter,
)
from tests.support.eventually import eventually
from tests.support.examples import profile

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

STEPS, EVERY = 40, 5
PROGRAM = f"[-m, sunk_jobs.train_fsdp2, --steps, {STEPS}, --checkpoint-every, {EVERY}]"
SUBMIT = """
PATH=$1/bin:$PATH
shift
cd && exec sunk job submit fsdp2 --output json "$@"
"""
SETTINGS = (
    "nodes=2",
    "memoryPerNode=800M",
    "exclusive=false",
    "timeLimit=30",
    f"program={PROGRAM}",
)
READ_LOSSES = 'cd "$1" && for file in $(ls -v record/loss.*.jsonl); do cat "$file"; done'


@dataclass(frozen=True)
class Training:
    """A submitted run."""

    site: RunningSite
    job: JobId
    folder: str

    def losses(self) -> dict[int, float]:
        """Loss of each step; where attempts overlap the last one counts."""
        said = self.site.run("bash", "-c", READ_LOSSES, "bash", self.folder).stdout
        found = [json.loads(line) for line in said.splitlines()]
        return {one["step"]: one["loss"] for one in found}

    def saved(self) -> bool:
        """Whether a checkpoint is there and more steps than it holds were done."""
        done = self.site.run("bash", "-c", 'ls "$1"/ckpt', "bash", self.folder).stdout
        steps = [int(one.removeprefix("step_")) for one in done.split() if one[-1].isdigit()]
        finished = [one for one in steps if one]
        return bool(finished) and max(self.losses(), default=0) > max(finished)

    def workers(self) -> list[str]:
        return sorted(self.site.run("scontrol", "show", "hostnames", self.nodes()).stdout.split())

    def nodes(self) -> str:
        return self.site.slurm.job(self.job).nodes

    def finish(self) -> int:
        """Wait for its good end; returns how often it was started again."""
        done = eventually(lambda: (one := self.site.slurm.job(self.job)).ended and one, 90)
        assert (done.state, done.exit_code) == (JobState.COMPLETED, 0), self.log()
        return done.restart_count

    def log(self) -> str:
        return self.site.run("bash", "-c", 'tail -n 40 "$1"/job.log', "bash", self.folder).stdout


def train(site: RunningSite) -> Training:
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    done = site.run("bash", "-c", SUBMIT, "bash", TORCH_FOLDER, *words)
    assert done.status == 0, done.stderr
    (made,) = [json.loads(done.stdout)]
    return Training(site=site, job=JobId(made["job_id"]), folder=made["folder"])


def usable(site: RunningSite) -> bool:
    nodes = site.slurm.nodes()
    return len(nodes) == 4 and all(one.state == "IDLE" and not one.drain for one in nodes)


@pytest.fixture(scope="module")
def undisturbed(site: RunningSite) -> dict[int, float]:
    """The loss curve of a run that nothing hits."""
    eventually(lambda: usable(site), 60)
    training = train(site)
    assert training.finish() == 0
    losses = training.losses()
    assert list(losses) == list(range(1, STEPS + 1))
    assert losses[STEPS] < losses[1]
    return losses


def preempted(training: Training) -> None:
    """By a job of a better QOS, which takes all nodes."""
    site = training.site
    for words in (
        ("add", "qos", "urgent", "preempt=normal", "priority=1000"),
        ("modify", "user", "alice", "set", "qos+=urgent"),
    ):
        site.kube.execute(LOGIN_POD, site.namespace, ["sacctmgr", "-i", *words], container="sackd")
    urgent = site.submit("sleep 2", "--qos=urgent", "--nodes=4")
    eventually(lambda: site.slurm.job(urgent).state is JobState.COMPLETED, 60)


def pod_deleted(training: Training) -> None:
    site = training.site
    site.kube.delete(POD, training.workers()[-1], site.namespace, grace_seconds=0)


def kubernetes_node_killed(training: Training) -> None:
    """Power is lost, and is back once Kubernetes has noticed; slurmctld may be hit as well."""
    site = training.site
    control = site.pod("slurmctld-0").node
    hit = {site.pod(one).node for one in training.workers()}
    lost = next(iter(sorted(hit - {control})), control)
    assert lost is not None
    site.local.kill_node(lost)
    eventually(lambda: not all(one.ready for one in site.kube.nodes()), 60)
    told = reporter()
    site.local.start_node(lost, wiring.node_parts(wiring.ensure_software(local_settings(), told)))


def batch_shell_killed(training: Training) -> None:
    """Nobody is left who could requeue it: its user does."""
    site = training.site
    pods = [site.pod(one) for one in training.workers()]
    (host,) = [pod for pod in pods if processes_in_pod(pod, "slurm_script")]
    kill_in_pod(host, "slurm_script")
    eventually(lambda: site.slurm.job(training.job).ended, 60)
    assert site.slurm.job(training.job).state is JobState.FAILED
    site.run("scontrol", "requeue", str(training.job))


FAULTS: dict[str, Callable[[Training], None]] = {
    "preempted": preempted,
    "Pod deleted": pod_deleted,
    "batch shell killed": batch_shell_killed,
    "Kubernetes node killed": kubernetes_node_killed,
}
SAMPLE = ("preempted", "Pod deleted")


@pytest.mark.parametrize("fault", SAMPLE if profile() == "default" else FAULTS)
def test_training_resumes_with_the_loss_curve_of_an_undisturbed_run(
    site: RunningSite, undisturbed: dict[int, float], fault: str
) -> None:
    eventually(lambda: usable(site), 120)
    training = train(site)
    eventually(training.saved, 60)
    FAULTS[fault](training)
    assert training.finish() == 1
    assert training.losses() == undisturbed
