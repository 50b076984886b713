"""One Kubernetes node of a local cluster: a process tree in namespaces of its own.

`node_plan` decides everything (files, mounts, daemons) as data; `sunk.local.node_main`, the node's
first process, carries it out. Killing that process is a power loss; starting it again is a boot.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sunk.clients import process
from sunk.local import cgroups, daemons, network, pids, rails
from sunk.local.layout import (
    API_PORT,
    CLUSTER_ADDRESS,
    DNS_SERVICE_ADDRESS,
    POD_RANGE,
    Layout,
    Node,
)
from sunk.local.mounts import remove_tree
from sunk.local.software.gather import KubePrograms

PAUSE_IMAGE = "sunk.dev/pause:local"
CNI_PROGRAMS = Path("/usr/lib/cni")
ATTACH_NETWORKS = "attach-networks-stand-in"
_VOLATILE = ("run-containerd", "run-netns", "run-cni")
"""Folders that a real machine has in memory: a boot finds them empty."""
_STORE_KEY_FILE = "store.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A program that the node keeps running.

    Attributes:
        name: for messages.
        argv: program and arguments.
        log: where its output is appended.
        socket: the next daemon waits until this exists; nothing to wait for when absent.
    """

    name: str
    argv: tuple[str, ...]
    log: str
    socket: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What a node's first process does.

    Attributes:
        hostname: the node's name.
        mounts: own folder -> the place it covers, in order.
        daemons: started in order, restarted when they end.
    """

    hostname: str
    mounts: tuple[tuple[str, str], ...]
    daemons: tuple[Daemon, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """What nodes are built from.

    Attributes:
        kube: the Kubernetes programs.
        fill_store: makes a containerd root that holds the images, at the given path.
        store_key: tells sets of images apart.
        pack_images: writes the images as one OCI archive, for nodes that run with an older set.
        gpus: simulated GPUs on each node.
        rails: simulated rails of each node.
    """

    kube: KubePrograms
    fill_store: Callable[[Path], None]
    store_key: str
    pack_images: Callable[[Path], None]
    gpus: int = 0
    rails: int = 0


def mounts_of(layout: Layout, node: Node) -> tuple[tuple[str, str], ...]:
    """Return which of the node's folders covers which place."""
    home = layout.node_home(node)
    places = {
        "containerd": "/var/lib/containerd",
        "kubelet": "/var/lib/kubelet",
        "cni": "/var/lib/cni",
        "log-pods": "/var/log/pods",
        "log-containers": "/var/log/containers",
        "run-containerd": "/run/containerd",
        "run-netns": "/run/netns",
        "run-cni": "/run/cni",
        "etc-cni": "/etc/cni",
    }
    return tuple((str(home / own), place) for own, place in places.items())


def cni_config(layout: Layout, node: Node, rail_count: int) -> str:
    """Return the CNI configuration: a bridge and addresses from the node's own range.

    With rails, the stand-in for Multus makes that bridge, and the further networks of Pods.
    """
    bridge: dict[str, object] = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": node.pod_range}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    if rail_count:
        bridge = {
            "type": ATTACH_NETWORKS,
            "default": bridge,
            "server": f"https://{CLUSTER_ADDRESS}:{API_PORT}",
            "ca": f"{layout.pki}/ca.crt",
            "certificate": f"{layout.pki}/attach-networks.crt",
            "key": f"{layout.pki}/attach-networks.key",
        }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    document = {"cniVersion": "1.0.0", "name": "local", "plugins": [bridge, ports]}
    return json.dumps(document, indent=2) + "\n"


def containerd_config(cni_programs: Path) -> str:
    """Return containerd's configuration.

    ``restrict_oom_score_adj`` is the one that matters: without CAP_SYS_RESOURCE runc cannot lower
    the sandbox's score and dies with "can't get final child's PID from pipe: EOF". The plugin
    ``opt`` would make /opt/containerd on the machine.
    """
    disabled = [
        "internal.v1.opt",
        "snapshotter.v1.btrfs",
        "snapshotter.v1.zfs",
        "snapshotter.v1.devmapper",
        "nri.v1.nri",
    ]
    plugins = ", ".join(f'"io.containerd.{name}"' for name in disabled)
    cri = "io.containerd.grpc.v1.cri"
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [{plugins}]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."{cri}"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true

  [plugins."{cri}".cni]
    bin_dir = "{cni_programs}"
    conf_dir = "/etc/cni/net.d"

  [plugins."{cri}".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."{cri}".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def kubelet_config(layout: Layout, node: Node, cgroup_version: int) -> str:
    """Return the kubelet's configuration (JSON is YAML)."""
    pki = layout.pki
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # The kubelet refuses version 1 by default, and will drop it: the Kubernetes version is
        # pinned for that reason too.
        **({"failCgroupV1": False} if cgroup_version == 1 else {}),
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/" + layout.node_cgroup(node),
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/{node.name}.crt",
        "tlsPrivateKeyFile": f"{pki}/{node.name}.key",
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.node_home(node) / "resolv.conf"),
        "maxPods": 250,
        # Images cannot be pulled again here, and the disk is shared with the machine.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "nodeStatusUpdateFrequency": "2s",
        "nodeLeaseDurationSeconds": 8,
        # Several nodes share one small machine's disk and cores: the defaults throttle start-up.
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
        "eventRecordQPS": 0,
    }
    return json.dumps(document, indent=2) + "\n"


def node_plan(layout: Layout, node: Node, parts: NodeParts) -> NodePlan:
    """Return what the node's first process does."""
    home = layout.node_home(node)
    kube = parts.kube

    def log(name: str) -> str:
        return str(layout.log(f"{node.name}-{name}"))

    daemons = [
        Daemon(
            name="containerd",
            argv=("containerd", "--config", str(home / "containerd.toml"), "--log-level", "info"),
            log=log("containerd"),
            socket="/run/containerd/containerd.sock",
        ),
        Daemon(
            name="kubelet",
            argv=(
                *(str(kube.kubelet), f"--config={home / 'kubelet.json'}"),
                f"--kubeconfig={layout.pki / node.name}.kubeconfig",
                *(f"--hostname-override={node.name}", f"--node-ip={node.address}", "--v=2"),
            ),
            log=log("kubelet"),
        ),
        Daemon(
            name="kube-proxy",
            argv=(
                *(str(kube.proxy), f"--kubeconfig={layout.pki}/proxy.kubeconfig"),
                *("--proxy-mode=nftables", f"--cluster-cidr={POD_RANGE}"),
                f"--hostname-override={node.name}",
                *("--conntrack-max-per-core=0", "--conntrack-min=0"),
            ),
            log=log("kube-proxy"),
        ),
    ]
    if parts.gpus:
        daemons.append(
            Daemon(
                name="simulated-gpus",
                argv=(
                    *(str(kube.gpu_plugin), f"--count={parts.gpus}"),
                    f"--device-dir={home / 'dev'}",
                    "--socket-dir=/var/lib/kubelet/device-plugins",
                ),
                log=log("simulated-gpus"),
            )
        )
    for rail in rails.rails(parts.rails):
        functions = ",".join(rail.address(one) for one in rail.functions)
        daemons.append(
            Daemon(
                name=f"simulated-{rail.name}",
                argv=(
                    *(str(kube.function_plugin), f"--resource={rail.resource}"),
                    *(f"--functions={functions}", f"--sysfs={rails.SYSFS}"),
                    "--socket-dir=/var/lib/kubelet/device-plugins",
                ),
                log=log(f"simulated-{rail.name}"),
            )
        )
    return NodePlan(hostname=node.name, mounts=mounts_of(layout, node), daemons=tuple(daemons))


def boot(
    layout: Layout,
    node: Node,
    parts: NodeParts,
    hierarchies: cgroups.Hierarchies,
    all_nodes: Sequence[Node],
) -> None:
    """Power a node on: clean what a power loss left, lay its cable, start its first process."""
    home = layout.node_home(node)
    home.mkdir(parents=True, exist_ok=True)
    _settle_store(home, parts)
    cgroups.remove(hierarchies.roots, layout.node_cgroup(node))
    cgroups.make(hierarchies, layout.node_cgroup(node))
    network.connect_node(layout, node, all_nodes)
    for rail in rails.rails(parts.rails):
        network.connect_rail(layout, node, rail.name, rail.number)
    for volatile in _VOLATILE:
        shutil.rmtree(home / volatile, ignore_errors=True)
    plan = node_plan(layout, node, parts)
    for own, _ in plan.mounts:
        Path(own).mkdir(parents=True, exist_ok=True)
    (home / "etc-cni" / "net.d").mkdir(exist_ok=True)
    config = cni_config(layout, node, parts.rails)
    (home / "etc-cni" / "net.d" / "10-local.conflist").write_text(config)
    programs = _lay_out_rails(home, node, parts.rails) if parts.rails else CNI_PROGRAMS
    (home / "containerd.toml").write_text(containerd_config(programs))
    (home / "kubelet.json").write_text(kubelet_config(layout, node, hierarchies.version))
    (home / "resolv.conf").write_text(f"nameserver {CLUSTER_ADDRESS}\n")
    plan_file = home / "plan.json"
    plan_file.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
    words = (
        *network.enter_argv(layout.node_namespace(node)),
        *("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"),
        *("--propagation", "private", "--"),
        *(sys.executable, "-m", "sunk.local.node_main", str(plan_file)),
    )
    daemons.start(layout, node.name, words)


def _lay_out_rails(home: Path, node: Node, count: int) -> Path:
    """Write the simulated part of sysfs; returns a folder of CNI programs that has our stand-in."""
    rails.lay_out(home / "kubelet" / Path(rails.SYSFS).relative_to("/var/lib/kubelet"), node, count)
    programs = home / "cni-programs"
    shutil.rmtree(programs, ignore_errors=True)
    programs.mkdir()
    for each in CNI_PROGRAMS.iterdir():
        (programs / each.name).symlink_to(each)
    stand_in = programs / ATTACH_NETWORKS
    words = shlex.join([sys.executable, "-m", "sunk.local.attach_networks"])
    stand_in.write_text(f"#!/bin/sh\nexec {words}\n")
    stand_in.chmod(0o755)
    return programs


def renew_images(layout: Layout, node: Node, parts: NodeParts) -> bool:
    """Import the images into a running node whose set is an older one; returns whether it was."""
    noted = layout.node_home(node) / _STORE_KEY_FILE
    if noted.exists() and noted.read_text() == parts.store_key:
        return False
    identity = pids.read(layout.pid_file(node.name))
    if identity is None:
        return False
    # The first process of the node is the only child of the `unshare` that the pid file names.
    children = Path(f"/proc/{identity.pid}/task/{identity.pid}/children").read_text().split()
    archive = layout.node_home(node) / "images.tar"
    parts.pack_images(archive)
    process.run(
        [
            *("nsenter", f"--target={children[0]}", "--mount", "--"),
            *("ctr", "--namespace", "k8s.io", "images", "import", archive),
        ],
        timeout_seconds=300,
    )
    archive.unlink()
    noted.write_text(parts.store_key)
    return True


def cut_power(layout: Layout, node: Node) -> bool:
    """End every process of a node at once; returns whether it was on."""
    return pids.stop(layout.pid_file(node.name), grace_seconds=0)


def _settle_store(home: Path, parts: NodeParts) -> None:
    """Give the node a containerd root with this set of images, unless it has one."""
    store, noted = home / "containerd", home / _STORE_KEY_FILE
    if store.is_dir() and noted.exists() and noted.read_text() == parts.store_key:
        return
    remove_tree(store)
    parts.fill_store(store)
    noted.write_text(parts.store_key)


def is_on(layout: Layout, node: Node) -> bool:
    """Return whether the node's first process lives."""
    return pids.read(layout.pid_file(node.name)) is not None
