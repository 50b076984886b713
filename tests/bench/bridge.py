"""The bridge's figures, beside those that SchedMD's Slinky showed on a local cluster like ours.

Slinky's (slurm-operator 1.2, measured on the same kind of machine) are named in each row's comment;
a wall time here is from the change being accepted to its effect being seen by a client that asks
every few hundredths of a second; of many workers, like the one that measured Slinky, every tenth,
because whoever asks takes of the same two cores.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sunk.model.kube import NODE, NODE_SET, POD, SLURM_CLUSTER
from sunk.model.slurm import JobId, JobState, NodeName, NodeState
from sunk.wellknown import SLURMRESTD_PORT
from tests.bench.figure import Figure
from tests.support.cluster import RunningSite, processes_in_pod
from tests.support.eventually import eventually

MANY_SECONDS = 0.1
"""How often to ask while many workers start."""
REPEATS = 4
"""So few that the breaker, which allows 20 nodes a minute, does not come in between."""


FINISHED_JOBS = 2000
MANY_JOBS = f"""
for number in $(seq {FINISHED_JOBS}); do
  sbatch --hold --chdir=/tmp --output=/dev/null --job-name="job$number" --wrap true
done
"""


def until(
    true: Callable[[], bool], within_seconds: float = 120, *, every_seconds: float = 0.02
) -> float:
    """Return how many seconds it took; asks again so long after each answer."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > within_seconds:
            raise SystemExit(f"bench: not within {within_seconds:g} s: {true.__name__}")
        time.sleep(every_seconds)
    return time.monotonic() - start


def cordon(site: RunningSite, machine: str, *, on: bool) -> None:
    site.kube.merge(NODE, machine, {"spec": {"unschedulable": on}})


def scale(site: RunningSite, replicas: int) -> None:
    site.kube.merge(NODE_SET, "w", {"spec": {"replicas": replicas}}, site.namespace)


def workers(site: RunningSite) -> dict[str, str | None]:
    found = site.kube.pods(site.namespace, "sunk.dev/node-set=w")
    return {pod.name: pod.node for pod in found}


def all_idle(site: RunningSite, count: int) -> bool:
    nodes = site.slurm.nodes()
    return len(nodes) == count and all(
        one.state is NodeState.IDLE and not one.drain for one in nodes
    )


def running(site: RunningSite, node: str, seconds: int, minutes: int = 30) -> JobId:
    job = site.submit(f"sleep {seconds}", f"--nodelist={node}", f"--time={minutes}")
    eventually(lambda: site.slurm.job(job).state is JobState.RUNNING, 60)
    return job


def cordons(site: RunningSite) -> Iterator[Figure]:
    """Slinky: median 1.3 s, p99 2.4 s."""
    slurm, machine = site.slurm, site.pod("w-0").node
    assert machine is not None
    took = []
    for _ in range(REPEATS):
        cordon(site, machine, on=True)
        took.append(until(lambda: slurm.node(NodeName("w-0")).drain))
        cordon(site, machine, on=False)
        until(lambda: not slurm.node(NodeName("w-0")).drain)
    yield Figure("cordon to DRAIN, one worker (median)", statistics.median(took), 0.1, "s")
    yield Figure("cordon to DRAIN, one worker (slowest of 4)", max(took), 0.25, "s")


def drains_shown(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 28 s on the Pod, never on the Node."""
    name = NodeName("w-1")
    machine = site.pod("w-1").node
    assert machine is not None

    def on_pod() -> bool:
        return "SlurmNodeStateDrain" in site.pod("w-1").conditions

    def on_node() -> bool:
        found = {one.name: one.conditions for one in site.kube.nodes()}[machine]
        return "SlurmDrain" in found and found["SlurmDrain"].status == "True"

    site.slurm.drain(name, "bench")
    pod = until(on_pod)
    node = pod + until(on_node)
    site.slurm.resume(name)
    yield Figure("drain in Slurm to Pod condition", pod, 1.5, "s")
    yield Figure("drain in Slurm to Node condition", node, 1.5, "s")


def lost_pod(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 124 s, Slurm's own wait before a requeued job."""
    job = running(site, "w-2", 30)
    site.kube.delete(POD, "w-2", site.namespace, grace_seconds=0)

    def again() -> bool:
        found = site.slurm.job(job)
        return found.restart_count == 1 and found.state is JobState.RUNNING

    yield Figure("busy Pod deleted to its job running again", until(again), 10, "s")
    site.slurm.cancel(job)


def configuration(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 13 to 14 s without slurmctld for a new partition, 73 s and 14 s for a bad line."""
    name = site.site.cluster.name

    def outage(spec: dict, seconds: float) -> float:
        site.kube.merge(SLURM_CLUSTER, name, {"spec": spec}, site.namespace)
        longest, last = 0.0, time.monotonic()
        end = last + seconds
        while time.monotonic() < end:
            if site.run("scontrol", "ping").stdout.strip().endswith("is UP"):
                now = time.monotonic()
                longest, last = max(longest, now - last), now
        return longest

    usual = outage({}, 3)
    partition = [{"name": "main", "default": True}, {"name": "p2"}]
    added = outage({"partitions": partition}, 12)
    bad = outage({"slurmConf": {"SchedulerType": "sched/nonsense"}}, 12)
    site.kube.merge(
        SLURM_CLUSTER,
        name,
        {"spec": {"slurmConf": {"SchedulerType": None}, "partitions": partition[:1]}},
        site.namespace,
    )
    yield Figure("between two answers of scontrol ping, at rest", usual, None, "s")
    yield Figure("the same, over a new partition", added, usual + 1, "s")
    yield Figure("the same, over a bad slurm.conf", bad, usual + 1, "s")


def end_of_job(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 24.5 s from the last job's end until the drained Pod is deleted."""
    scale(site, 2)
    until(lambda: all_idle(site, 2), 300)
    long = running(site, "w-0", 300)
    # Both are busy: the one whose job must end first goes, and waits for its end.
    short = running(site, "w-1", 10, minutes=1)
    scale(site, 1)
    until(lambda: site.slurm.node(NodeName("w-1")).drain)
    until(lambda: site.slurm.job(short).ended)
    yield Figure(
        "last job's end to its drained Pod deleted",
        until(lambda: "w-1" not in workers(site)),
        2,
        "s",
    )
    site.slurm.cancel(long)


def many_workers(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 25 s to all idle, 34 s to all Ready; 38 records left; 6.5 s to drain a machine."""
    scale(site, 2)
    until(lambda: all_idle(site, 2), 300)
    scale(site, 40)
    start = time.monotonic()
    until(lambda: all_idle(site, 40), 300, every_seconds=MANY_SECONDS)
    yield Figure("2 to 40 workers, all idle", time.monotonic() - start, 20, "s")
    selector = "sunk.dev/node-set=w"

    def all_ready() -> bool:
        return all(one.ready for one in site.kube.pods(site.namespace, selector))

    until(all_ready, 300, every_seconds=MANY_SECONDS)
    yield Figure("2 to 40 workers, all Ready", time.monotonic() - start, 20, "s")
    # Before the cordon: by then the breaker's window has passed.
    yield from traffic(site)
    machine = "node1"
    here = {name for name, node in workers(site).items() if node == machine}

    slurm = site.slurm

    def all_drained() -> bool:
        return here <= {str(one.name) for one in slurm.nodes() if one.drain}

    cordon(site, machine, on=True)
    yield Figure(f"cordon to last of {len(here)} workers drained", until(all_drained), 0.5, "s")
    cordon(site, machine, on=False)
    until(lambda: all_idle(site, 40), 180)  # resumes are counted by the breaker too
    scale(site, 2)
    until(lambda: len(workers(site)) == 2, 300)
    yield Figure("records left after 40 to 2", len(site.slurm.nodes()) - 2, 0, "")


def traffic(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 71.5 MB a minute to and from slurmrestd, which grew to 1.24 GiB."""
    # Held and cancelled: to run so many here takes longer than slurmctld remembers the first ones.
    site.run("bash", "-c", MANY_JOBS, within_seconds=280)
    site.run("scancel", "--user", site.user)
    until(lambda: site.run("squeue", "--noheader").stdout == "", 60)
    restd = site.pod_of("slurmrestd")
    (pid,) = processes_in_pod(restd, "slurmrestd")
    with bytes_at_port(pid, SLURMRESTD_PORT) as counted:
        before = counted()
        time.sleep(60)
        spent = counted() - before
    name = f"to and from slurmrestd, 40 idle nodes, {FINISHED_JOBS} ended jobs"
    yield Figure(name, spent / 1e6, 0.5, "MB/min")
    memory = Path(f"/proc/{pid}/status").read_text()
    (kib,) = [int(one.split()[1]) for one in memory.splitlines() if one.startswith("VmRSS")]
    yield Figure("slurmrestd's memory", kib / 1024, 60, "MiB")


@contextmanager
def bytes_at_port(pid: int, port: int) -> Iterator[Callable[[], int]]:
    """Count the bytes to and from a port in a process's network namespace, from outside."""
    inside = ("nsenter", "--net", "--target", str(pid), "nft")
    hook = "type filter hook {} priority 0; tcp {} {} counter name seen;"
    rules = (
        f"table inet bench {{ counter seen {{}}\n"
        f"chain to {{ {hook.format('input', 'dport', port)} }}\n"
        f"chain from {{ {hook.format('output', 'sport', port)} }}\n"
        "}"
    )

    def counted() -> int:
        argv = (*inside, "--json", "list", "counter", "inet", "bench", "seen")
        answer = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        (found,) = [one["counter"] for one in json.loads(answer)["nftables"] if "counter" in one]
        return int(found["bytes"])

    subprocess.run((*inside, "--file", "-"), input=rules, text=True, check=True)
    try:
        yield counted
    finally:
        subprocess.run((*inside, "delete", "table", "inet", "bench"), check=True)


def figures(site: RunningSite) -> Iterator[Figure]:
    yield from cordons(site)
    yield from drains_shown(site)
    yield from lost_pod(site)
    yield from configuration(site)
    yield from end_of_job(site)
    yield from many_workers(site)
