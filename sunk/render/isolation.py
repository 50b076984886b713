"""How jobs on one worker are kept apart: what it means for Slurm's files, Pods and descriptions.

Slurm loads the same plugins on every node, so that this is one choice for a whole cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sunk.errors import InputError
from sunk.model.cluster import Isolation, NodeSet, SlurmCluster
from sunk.model.overlay import PodSecurity, Resources, Sidecar
from sunk.model.quantity import parse_quantity
from sunk.render.problem import Path, Problem

_SETTINGS: Mapping[Isolation, Mapping[str, str]] = {
    Isolation.PROCESS: {
        "JobAcctGatherType": "jobacct_gather/linux",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
    },
    Isolation.CGROUP: {
        "JobAcctGatherType": "jobacct_gather/cgroup",
        "ProctrackType": "proctrack/cgroup",
        "TaskPlugin": "task/cgroup",
    },
}
_CGROUP_CONF: Mapping[Isolation, str] = {
    Isolation.PROCESS: "# Rendered by sunk: the Pod's own limits hold.\nCgroupPlugin=disabled\n",
    # Cores and devices are not bound: Slurm counts from the machine's first, and so would every
    # worker on it; the Pod's CPU quota and its devices hold.
    Isolation.CGROUP: (
        "# Rendered by sunk: a job's memory is limited inside its Pod's.\n"
        "CgroupPlugin=autodetect\n"
        "ConstrainCores=no\n"
        "ConstrainDevices=no\n"
        "ConstrainRAMSpace=yes\n"
        "IgnoreSystemd=yes\n"
    ),
}


def isolation_settings(cluster: SlurmCluster) -> Mapping[str, str]:
    """Return the keys of slurm.conf that the choice sets."""
    return _SETTINGS[cluster.isolation]


def render_cgroup_conf(cluster: SlurmCluster) -> str:
    """Return cgroup.conf; an ordinary Pod cannot write its cgroups, a privileged one can."""
    return _CGROUP_CONF[cluster.isolation]


def isolation_problems(cluster: SlurmCluster) -> Iterator[Problem]:
    """Yield what a description with isolation ``cgroup`` lacks.

    Without Guaranteed quality of service the kernel ends slurmstepd with the job that went over its
    memory, and Slurm shows the job as running for ever: requests must be the limits, in every
    container of the Pod.
    """
    if cluster.isolation is not Isolation.CGROUP:
        return
    if cluster.pod_security is not PodSecurity.PRIVILEGED:
        yield Problem(
            path=("isolation",),
            value=str(cluster.isolation),
            allowed="process; cgroup needs podSecurity: privileged",
        )
    for index, node_set in enumerate(cluster.node_sets):
        yield from _requests_below_limits(("nodeSets", index), node_set)


def _requests_below_limits(path: Path, node_set: NodeSet) -> Iterator[Problem]:
    for key, request, limit in (
        ("cpuRequest", node_set.cpu_request, node_set.cpu),
        ("memoryRequest", node_set.memory_request, node_set.memory),
    ):
        if request is not None and _differ(request, limit):
            allowed = f"with isolation cgroup the limit, {limit}, or nothing"
            yield Problem(path=(*path, key), value=request, allowed=allowed)
    for number, sidecar in enumerate(node_set.pod.sidecars if node_set.pod else ()):
        if not _guaranteed(sidecar):
            yield Problem(
                path=(*path, "pod", "sidecars", number, "resources"),
                value=sidecar.name,
                allowed="with isolation cgroup limits of cpu and memory, and no less as requests",
            )


def _guaranteed(sidecar: Sidecar) -> bool:
    resources = sidecar.resources or Resources()
    return all(
        key in resources.limits
        and not _differ(resources.requests.get(key, resources.limits[key]), resources.limits[key])
        for key in ("cpu", "memory")
    )


def _differ(one: str, other: str) -> bool:
    """Return whether two quantities differ; one that is none is another check's to name."""
    try:
        return parse_quantity(one) != parse_quantity(other)
    except InputError:
        return False
