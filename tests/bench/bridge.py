"""The bridge's figures, beside those that SchedMD's Slinky showed on a local cluster like ours.

Slinky's (slurm-operator 1.2, measured on the same kind of machine) are named in each row's comment;
a wall time here is from the change being accepted to its effect being seen by a client that asks
every few hundredths of a second.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from sunk.model.kube import NODE, NODE_SET, POD, SLURM_CLUSTER
from sunk.model.slurm import JobState, NodeName, NodeState
from tests.bench.figure import Figure
from tests.support.cluster import RunningSite
from tests.support.eventually import eventually

REPEATS = 4
"""So few that the breaker, which allows 20 nodes a minute, does not come in between."""


def until(true: Callable[[], bool], within_seconds: float = 120) -> float:
    """Return how many seconds it took; asks as often as the answers come."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > within_seconds:
            raise SystemExit(f"bench: not within {within_seconds:g} s: {true.__name__}")
        time.sleep(0.005)
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


def running(site: RunningSite, node: str, seconds: int):
    job = site.submit(f"sleep {seconds}", f"--nodelist={node}")
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


def many_workers(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 25 s to all idle, 34 s to all Ready; 38 records left; 6.5 s; 24.5 s."""
    scale(site, 2)
    until(lambda: all_idle(site, 2), 300)
    scale(site, 40)
    start = time.monotonic()
    until(lambda: all_idle(site, 40), 300)
    yield Figure("2 to 40 workers, all idle", time.monotonic() - start, 20, "s")
    selector = "sunk.dev/node-set=w"
    until(lambda: all(one.ready for one in site.kube.pods(site.namespace, selector)), 300)
    yield Figure("2 to 40 workers, all Ready", time.monotonic() - start, 20, "s")
    machine = "node1"
    here = {name for name, node in workers(site).items() if node == machine}
    cordon(site, machine, on=True)

    def all_drained() -> bool:
        return here <= {str(one.name) for one in site.slurm.nodes() if one.drain}

    yield Figure(f"cordon to last of {len(here)} workers drained", until(all_drained), 0.5, "s")
    cordon(site, machine, on=False)
    until(lambda: all_idle(site, 40), 180)  # resumes are counted by the breaker too
    yield from traffic(site)
    job = running(site, "w-39", 3)
    scale(site, 2)
    until(lambda: site.slurm.job(job).ended, 120)
    gone = until(lambda: "w-39" not in workers(site), 60)
    yield Figure("last job's end to its drained Pod deleted", gone, 2, "s")
    until(lambda: len(workers(site)) == 2, 300)
    yield Figure("records left after 40 to 2", len(site.slurm.nodes()) - 2, 0, "")


def traffic(site: RunningSite) -> Iterator[Figure]:
    """Slinky: 71.5 MB a minute to and from slurmrestd, which grew to 1.24 GiB."""
    pod = site.pod_of("slurmrestd").name

    def received_and_sent() -> int:
        text = site.kube.execute(pod, site.namespace, ["cat", "/proc/net/dev"]).stdout
        (line,) = [one for one in text.splitlines() if "eth0" in one]
        numbers = line.partition(":")[2].split()
        return int(numbers[0]) + int(numbers[8])

    before = received_and_sent()
    time.sleep(60)
    yield Figure(
        "to and from slurmrestd, 40 idle nodes", (received_and_sent() - before) / 1e6, 0.5, "MB/min"
    )
    status = site.kube.execute(pod, site.namespace, ["cat", "/proc/7/status"]).stdout
    kib = [int(one.split()[1]) for one in status.splitlines() if one.startswith("VmRSS")]
    if kib:
        yield Figure("slurmrestd's memory", kib[0] / 1024, 60, "MiB")


def figures(site: RunningSite) -> Iterator[Figure]:
    yield from cordons(site)
    yield from drains_shown(site)
    yield from lost_pod(site)
    yield from configuration(site)
    yield from many_workers(site)
