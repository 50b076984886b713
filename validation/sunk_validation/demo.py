"""The first acceptance run: a person logs in, submits an MPI job, and the result is checked.

Everything happens the way a user of the cluster would do it: over SSH to the login node, with the
job toolkit installed there. The verdict rests on what the job wrote and on where Kubernetes says
its Pods are, not on exit codes alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sunk.clients.kube.protocol import Kube
from sunk.clients.ssh import Ssh
from sunk.errors import SunkError, UnexpectedReply, clip
from sunk.model.cluster import SlurmCluster
from sunk.model.kube import Pod
from sunk.progress import Reporter, step
from sunk.resources import data_folder

JOB_FILE = "demo-job.yaml"
_FOLLOW_SECONDS = 240.0
_COMMAND_SECONDS = 60.0


class WrongResult(SunkError):
    """The job ran, and what it left behind is not what it must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo saw.

    Attributes:
        job_id: Slurm's number of the job.
        result: the record that the job wrote.
        kube_nodes: Kubernetes nodes that its ranks ran on, sorted.
        log: what the job printed.
        screens: title -> output of the commands that a newcomer would look at.
    """

    job_id: str
    result: Mapping[str, Any]
    kube_nodes: tuple[str, ...]
    log: str
    screens: Mapping[str, str]


def faults(
    result: Mapping[str, Any],
    *,
    job_id: str,
    workers: Sequence[str],
    pods: Sequence[Pod],
    kube_node_count: int,
) -> tuple[str, ...]:
    """Return what is wrong with the all-reduce's record; nothing when all is right.

    Args:
        result: the record.
        job_id: the job that was submitted.
        workers: Slurm nodes that must each have run one rank.
        pods: the cluster's Pods; a worker's Pod has its Slurm node's name.
        kube_node_count: Kubernetes nodes that the workers are spread over.
    """
    found = []
    if str(result.get("job_id")) != job_id:
        found.append(f"the record is of job {result.get('job_id')}, not {job_id}")
    if result.get("correct") is not True or result.get("wrong_elements") != 0:
        found.append(f"{result.get('wrong_elements')} elements of the sum are wrong")
    if result.get("ranks") != len(workers):
        found.append(f"{result.get('ranks')} ranks took part, not {len(workers)}")
    hosts = sorted(map(str, result.get("hosts", [])))
    if hosts != sorted(workers):
        found.append(f"ranks ran on {', '.join(hosts)}, not on {', '.join(sorted(workers))}")
    used = kube_nodes_of(hosts, pods)
    if len(used) != kube_node_count:
        found.append(
            f"ranks ran on {len(used)} Kubernetes nodes ({', '.join(used)}), not {kube_node_count}"
        )
    return tuple(found)


def kube_nodes_of(hosts: Sequence[str], pods: Sequence[Pod]) -> tuple[str, ...]:
    """Return the Kubernetes nodes that carry the Pods of these names, sorted."""
    return tuple(sorted({pod.node for pod in pods if pod.node and pod.name in set(hosts)}))


def pod_lines(pods: Sequence[Pod]) -> str:
    """Return a table of Pods: name, whether it is ready, its Kubernetes node and address."""
    lines = [f"{'NAME':<28}{'READY':<7}{'NODE':<10}IP"]
    for pod in pods:
        ready = "yes" if pod.ready else "no"
        lines.append(f"{pod.name:<28}{ready:<7}{pod.node or '-':<10}{pod.ip or '-'}")
    return "\n".join(lines)


def run_demo(
    ssh: Ssh,
    kube: Kube,
    cluster: SlurmCluster,
    reporter: Reporter,
    on_line: Callable[[str], None],
) -> DemoResult:
    """Submit the demo's job over SSH, follow it to its end, and check what it left behind.

    Args:
        ssh: an open connection to the login node, as an ordinary user.
        kube: for the Pods' places.
        cluster: the description that is up.
        reporter: told about progress.
        on_line: told what the follower prints.

    Raises:
        WrongResult: the job did not complete, or its result is not right.
        RemoteError: login node or Kubernetes do not answer.
    """
    with step(reporter, "submit the job over SSH") as current:
        job = (data_folder("deploy") / "local" / JOB_FILE).read_bytes()
        ssh.write(JOB_FILE, job)
        submitted = _json(_run(ssh, "sunk", "job", "submit", JOB_FILE, "--output", "json"))
        job_id, folder = str(submitted["job_id"]), str(submitted["folder"])
        current.outcome = f"job {job_id} in {folder}"
    with step(reporter, f"follow job {job_id}") as current:
        ended = ssh.run(
            ("sunk", "job", "follow", job_id),
            within_seconds=_FOLLOW_SECONDS,
            on_output=on_line,
        )
        log = ssh.read(f"{folder}/job.log").decode(errors="replace")
        if ended.status != 0:
            raise WrongResult(
                f"run job {job_id}: it did not complete: {clip(ended.stderr or ended.stdout)}",
                hint=f"its output: {clip(log)}",
            )
        current.outcome = "COMPLETED"
    with step(reporter, "check the result") as current:
        result = _json(ssh.read(f"{folder}/result.json").decode())
        pods = kube.pods(cluster.namespace)
        workers = [
            f"{one.name}-{number}" for one in cluster.node_sets for number in range(one.replicas)
        ]
        ready = sum(1 for node in kube.nodes() if node.ready)
        wrong = faults(
            result,
            job_id=job_id,
            workers=workers,
            pods=pods,
            kube_node_count=min(ready, len(workers)),
        )
        if wrong:
            raise WrongResult(f"check the result of job {job_id}: " + "; ".join(wrong))
        used = kube_nodes_of(result["hosts"], pods)
        current.outcome = f"right on all {result['ranks']} ranks, on {len(used)} Kubernetes nodes"
    screens = {
        "sinfo": _run(ssh, "sinfo"),
        f"sacct -j {job_id}": _run(
            ssh,
            *("sacct", "-j", job_id, "--format"),
            "JobID,JobName%12,User%6,Partition%9,NNodes,State,ExitCode,Elapsed,NodeList%12",
        ),
        "Pods": pod_lines(pods),
    }
    return DemoResult(job_id=job_id, result=result, kube_nodes=used, log=log, screens=screens)


def _run(ssh: Ssh, *argv: str) -> str:
    ended = ssh.run(argv, within_seconds=_COMMAND_SECONDS)
    if ended.status != 0:
        raise UnexpectedReply(
            f"run {' '.join(argv[:3])} on {ssh.target}: exit status {ended.status}: "
            f"{clip(ended.stderr or ended.stdout)}",
            system="login node",
        )
    return ended.stdout


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as exc:
        raise UnexpectedReply(f"read {clip(text, 60)!r}: not JSON", system="login node") from exc
    if not isinstance(found, dict):
        raise UnexpectedReply(f"read {clip(text, 60)!r}: not an object", system="login node")
    return found
