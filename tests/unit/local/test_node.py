from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from sunk.local import control_plane
from sunk.local.layout import Node, cluster_layout
from sunk.local.node import (
    NodeParts,
    cni_config,
    containerd_config,
    kubelet_config,
    mounts_of,
    node_plan,
)
from sunk.local.software.gather import KubePrograms

PROGRAMS = KubePrograms(
    version="v1.36.3",
    **{
        name: Path("/k") / name
        for name in (
            "apiserver",
            "controller_manager",
            "scheduler",
            "kubelet",
            "proxy",
            "kubectl",
            "gpu_plugin",
            "function_plugin",
        )
    },
)
LAYOUT = cluster_layout("t", Path("/s"))
NODE = Node(number=2)


def parts(gpus: int = 0, rails: int = 0) -> NodeParts:
    return NodeParts(
        kube=PROGRAMS,
        fill_store=lambda _target: None,
        store_key="k",
        pack_images=lambda _target: None,
        gpus=gpus,
        rails=rails,
    )


def test_containerd_never_lowers_oom_scores_because_that_needs_a_capability_we_lack():
    cri = tomllib.loads(containerd_config(Path("/usr/lib/cni")))["plugins"][
        "io.containerd.grpc.v1.cri"
    ]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == "sunk.dev/pause:local"


@pytest.mark.parametrize(("version", "present"), [(1, True), (2, False)])
def test_kubelet_is_told_about_cgroup_version_1_only_there(version, present):
    document = json.loads(kubelet_config(LAYOUT, NODE, version))
    assert ("failCgroupV1" in document) is present
    assert document["cgroupRoot"] == "/sunk/t/node2"
    assert document["authentication"]["anonymous"] == {"enabled": False}


def test_pods_of_a_node_get_addresses_of_its_own_range():
    bridge = json.loads(cni_config(LAYOUT, NODE, 0))["plugins"][0]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.245.2.0/24"}]]
    assert bridge["ipMasq"] is False


def test_node_writes_only_below_its_own_folder():
    for own, _place in mounts_of(LAYOUT, NODE):
        assert Path(own).is_relative_to("/s/local/t/node2")


def test_gpu_plugin_runs_only_where_gpus_were_asked_for():
    def daemons(gpus):
        return [daemon.name for daemon in node_plan(LAYOUT, NODE, parts(gpus)).daemons]

    assert daemons(0) == ["containerd", "kubelet", "kube-proxy"]
    assert daemons(4) == ["containerd", "kubelet", "kube-proxy", "simulated-gpus"]


def test_each_rail_has_a_plugin_of_its_functions():
    daemons = node_plan(LAYOUT, NODE, parts(rails=2)).daemons[3:]
    assert [one.name for one in daemons] == ["simulated-rail-0", "simulated-rail-1"]
    assert daemons[1].argv[:3] == (
        "/k/function_plugin",
        "--resource=sunk.dev/rail-1",
        "--functions=0000:3c:00.1,0000:3c:00.2",
    )


def test_with_rails_the_stand_in_makes_the_clusters_own_network_as_it_was_made_without():
    plain = json.loads(cni_config(LAYOUT, NODE, 0))["plugins"]
    railed = json.loads(cni_config(LAYOUT, NODE, 2))["plugins"]
    assert railed[0]["type"] == "attach-networks-stand-in"
    assert [railed[0]["default"], railed[1]] == plain


def test_kube_proxy_uses_nftables():
    proxy = node_plan(LAYOUT, NODE, parts()).daemons[2]
    assert "--proxy-mode=nftables" in proxy.argv


def test_audit_and_pod_security_are_on():
    argv = control_plane.apiserver_argv(LAYOUT, PROGRAMS)
    assert "--audit-log-path=/s/local/t/log/audit.log" in argv
    assert "--enable-admission-plugins=PodSecurity" in argv
    assert "--authorization-mode=Node,RBAC" in argv


def test_etcd_and_controllers_listen_on_loopback_only():
    every = [
        *control_plane.etcd_argv(LAYOUT),
        *control_plane.controller_manager_argv(LAYOUT, PROGRAMS),
        *control_plane.scheduler_argv(LAYOUT, PROGRAMS),
    ]
    listeners = [word for word in every if "listen" in word or "bind-address" in word]
    assert len(listeners) == 4
    assert all("127.0.0.1" in word for word in listeners)
