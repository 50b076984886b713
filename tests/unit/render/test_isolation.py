"""What keeps jobs on one worker apart, in every place where the choice shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sunk.model.cluster import Isolation, NodeSet, SlurmCluster
from sunk.model.overlay import PodOverlay, PodSecurity, Resources, Security, Sidecar
from sunk.render.checks import problems
from sunk.render.isolation import render_cgroup_conf
from sunk.render.slurm_conf import render_slurm_conf
from tests.support.pods import everything, pods

ORDINARY = SlurmCluster(name="lab", node_sets=(NodeSet(name="w"),))
CGROUP = replace(ORDINARY, isolation=Isolation.CGROUP, pod_security=PodSecurity.PRIVILEGED)
PLUGINS = ("JobAcctGatherType", "ProctrackType", "TaskPlugin")


def with_set(**changes: object) -> SlurmCluster:
    return replace(CGROUP, node_sets=(replace(CGROUP.node_sets[0], **changes),))


def named(cluster: SlurmCluster) -> list[tuple[str, object]]:
    return [(".".join(map(str, one.path)), one.value) for one in problems(cluster)]


def worker_container(cluster: SlurmCluster) -> dict:
    (found,) = [
        container
        for _, template in pods(everything(cluster))
        for container in template["spec"]["containers"]
        if container["name"] == "slurmd"
    ]
    return found


@pytest.mark.parametrize(
    ("cluster", "plugins"),
    [
        (ORDINARY, ["jobacct_gather/linux", "proctrack/linuxproc", "task/none"]),
        (CGROUP, ["jobacct_gather/cgroup", "proctrack/cgroup", "task/cgroup"]),
    ],
)
def test_slurm_loads_the_plugins_of_the_choice(cluster, plugins):
    lines = dict(
        line.split("=", 1) for line in render_slurm_conf(cluster).splitlines() if "=" in line
    )
    assert [lines[key] for key in PLUGINS] == plugins


def test_memory_is_limited_and_nothing_else_in_cgroup_conf():
    assert render_cgroup_conf(CGROUP) == (
        "# Rendered by sunk: a job's memory is limited inside its Pod's.\n"
        "CgroupPlugin=autodetect\n"
        "ConstrainCores=no\n"
        "ConstrainDevices=no\n"
        "ConstrainRAMSpace=yes\n"
        "IgnoreSystemd=yes\n"
    )


def test_worker_is_privileged_with_requests_as_its_limits_and_no_other_container_is():
    container = worker_container(CGROUP)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": True,
        "capabilities": {},
        "privileged": True,
        "readOnlyRootFilesystem": False,
    }
    assert container["resources"]["requests"] == container["resources"]["limits"]
    privileged = [
        container["name"]
        for _, template in pods(everything(CGROUP))
        for container in template["spec"]["containers"]
        if container["securityContext"].get("privileged")
    ]
    assert privileged == ["slurmd"]


def test_worker_with_a_security_context_of_the_site_stays_privileged():
    site = PodOverlay(security_context=Security())
    context = worker_container(with_set(pod=site))["securityContext"]
    assert (context["privileged"], context["allowPrivilegeEscalation"]) == (True, True)


def test_description_that_can_hold_it_has_no_problem():
    assert named(CGROUP) == []
    assert named(with_set(cpu="2", cpu_request="2000m", memory_request="1024Mi")) == []


@pytest.mark.parametrize(
    ("cluster", "where", "value"),
    [
        (replace(CGROUP, pod_security=PodSecurity.BASELINE), "isolation", "cgroup"),
        (with_set(cpu_request="500m"), "nodeSets.0.cpuRequest", "500m"),
        (with_set(memory_request="64Mi"), "nodeSets.0.memoryRequest", "64Mi"),
        (
            with_set(pod=PodOverlay(sidecars=(Sidecar(name="s", image="a"),))),
            "nodeSets.0.pod.sidecars.0.resources",
            "s",
        ),
        (
            with_set(
                pod=PodOverlay(
                    sidecars=(
                        Sidecar(
                            name="s",
                            image="a",
                            resources=Resources(
                                limits={"cpu": "1", "memory": "1Gi"}, requests={"cpu": "500m"}
                            ),
                        ),
                    )
                )
            ),
            "nodeSets.0.pod.sidecars.0.resources",
            "s",
        ),
    ],
)
def test_description_that_cannot_hold_it_is_refused_by_its_key(cluster, where, value):
    assert named(cluster) == [(where, value)]
