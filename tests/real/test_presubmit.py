"""What the check before submitting says is what a real Slurm then does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from sunk.assess.presubmit import check_request
from sunk.assess.verdict import Verdict
from sunk.clients.slurm.cli_texts import SlurmTexts
from sunk.clients.slurm.commands import SlurmCommands
from sunk.errors import Rejected
from sunk.model.limits import ClusterSnapshot, JobRequest
from sunk.model.slurm import StartEstimate
from sunk.render.profile_detect import SlurmSays
from sunk.render.snapshot import AccountingSays, snapshot
from tests.support.eventually import eventually
from tests.support.slurm_namespace import SlurmNamespace

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SETTINGS = (
    ("sacctmgr", "-i", "add", "account", "research"),
    ("sacctmgr", "-i", "add", "account", "other"),
    ("sacctmgr", "-i", "add", "qos", "unused"),
    ("sacctmgr", "-i", "add", "user", "alice", "account=research"),
    ("sacctmgr", "-i", "modify", "account", "research", "set", "GrpTRES=cpu=8", "MaxWall=60"),
    ("sacctmgr", "-i", "modify", "qos", "normal", "set", "MaxWall=120"),
    (
        *("scontrol", "update", "PartitionName=all", "MaxTime=20", "MaxNodes=2"),
        "AllowAccounts=research,other",
    ),
    ("scontrol", "create", "PartitionName=closed", "Nodes=w1", "AllowAccounts=other"),
    ("scontrol", "create", "PartitionName=away", "Nodes=w1", "State=INACTIVE"),
)
STARTS, NEVER = "starts", "never"
JOBS = {
    "plain": ({}, STARTS),
    "two nodes": ({"nodes": 2}, STARTS),
    "more nodes than there are": ({"nodes": 4}, NEVER),
    "more nodes than the partition gives": ({"nodes": 3, "partition": "all"}, NEVER),
    "longer than the partition allows": ({"time_minutes": 30, "partition": "all"}, NEVER),
    "longer than the account's limit, within the QOS's": ({"time_minutes": 90}, STARTS),
    "longer than the QOS's limit": ({"time_minutes": 130}, NEVER),
    "more CPUs than a node has": ({"cpus_per_task": 5}, NEVER),
    "more memory than a node has": ({"memory_per_node_mib": 3000}, NEVER),
    "more CPUs than the account has": ({"nodes": 3, "tasks_per_node": 3}, NEVER),
    "account of others": ({"account": "other"}, NEVER),
    "QOS that there is not": ({"qos": "none"}, NEVER),
    "QOS of others": ({"qos": "unused"}, NEVER),
    "partition that there is not": ({"partition": "none"}, NEVER),
    "partition of others": ({"partition": "closed"}, NEVER),
    "partition that takes no jobs": ({"partition": "away"}, NEVER),
    "index beyond the largest": ({"array_last": 1001}, NEVER),
}
WAITS_FOR_ITS_TURN = {"None", "Priority", "Resources", "BeginTime", "JobArrayTaskLimit"}


@pytest.fixture(scope="module")
def slurm(slurm_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmNamespace]:
    folder = tmp_path_factory.mktemp("presubmit")
    namespace = SlurmNamespace(rootfs=slurm_rootfs, folder=folder, nodes=("w1", "w2", "w3"))
    namespace.start()
    for words in SETTINGS:
        namespace.run(*words)
    try:
        yield namespace
    finally:
        namespace.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(slurm: SlurmNamespace) -> ClusterSnapshot:
    texts = SlurmTexts(slurm.runner())
    said = SlurmSays(
        configuration=texts.configuration(),
        partitions=texts.partitions(),
        topology=texts.topology(),
        nodes=texts.nodes(),
    )
    accounting = AccountingSays(
        qos=texts.qos(), associations=texts.associations(), users=texts.users()
    )
    return snapshot(said, accounting)


def options(request: JobRequest) -> list[str]:
    given = {
        "partition": request.partition,
        "account": request.account,
        "qos": request.qos,
        "nodes": request.nodes,
        "ntasks-per-node": request.tasks_per_node,
        "cpus-per-task": request.cpus_per_task,
        "mem": request.memory_per_node_mib or 1,
        "time": request.time_minutes,
        "array": request.array_last,
    }
    return [f"--{name}={value}" for name, value in given.items() if value is not None]


def what_slurm_does(slurm: SlurmNamespace, request: JobRequest) -> str:
    words = ("sbatch", "--parsable", "--output=/dev/null", *options(request), "--wrap=true")
    done = slurm.run(*words, user="alice", check=False)
    if done.status != 0:
        return NEVER
    number = done.stdout.strip()

    def fate() -> str | None:
        shown = slurm.output("squeue", "-ho%T|%r", "--states=all", f"--jobs={number}")
        state, reason = shown.strip().split("|")
        if state != "PENDING":
            return STARTS
        return None if reason in WAITS_FOR_ITS_TURN else NEVER

    return eventually(fate, 60, what=f"job {number} to start or to say why not") or NEVER


@pytest.mark.parametrize(("change", "fate"), JOBS.values(), ids=JOBS.keys())
def test_check_says_what_slurm_does(slurm, cluster, change, fate):
    request = JobRequest(**{"user": "alice", "time_minutes": 5} | change)
    verdicts = {one.verdict for one in check_request(request, cluster)}
    assert (NEVER if Verdict.FAIL in verdicts else STARTS) == fate
    assert Verdict.UNKNOWN not in verdicts
    assert what_slurm_does(slurm, request) == fate


def estimate(slurm: SlurmNamespace, **changes: object) -> StartEstimate:
    """Ask as the user; the file lies where the commands, which run inside, see it."""

    def inside(argv, *, timeout_seconds, env=None, check=True):
        return slurm.run(*argv, user="alice", check=check, timeout_seconds=timeout_seconds)

    request = JobRequest(**{"user": "alice", "time_minutes": 5} | changes)
    lines = "\n".join(f"#SBATCH {one}" for one in options(request))
    slurm.path("/tmp/estimate.sbatch").write_text(f"#!/bin/bash\n{lines}\ntrue\n")
    return SlurmCommands(inside).start_estimate(Path("/tmp/estimate.sbatch"))


def test_start_that_slurm_estimates_is_read(slurm):
    found = estimate(slurm, nodes=2, partition="all")
    assert (found.processors, found.partition) == (2, "all")
    assert found.nodes in {"w[1-2]", "w[1,3]", "w[2-3]"}
    assert datetime.fromisoformat(found.at)


def test_job_that_slurm_would_refuse_has_no_estimate_but_its_words(slurm):
    with pytest.raises(Rejected, match="Requested node configuration is not available"):
        estimate(slurm, cpus_per_task=5)
