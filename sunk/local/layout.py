"""Names and places of one local cluster: every path, address and port it uses is decided here.

A cluster lives in network namespaces of its own, so that the same addresses serve every cluster;
only the two forwarded loopback ports are the machine's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sunk.errors import InputError

NAME_FORM = re.compile(r"[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")
NODE_COUNT_LIMIT = 9

CLUSTER_ADDRESS = "10.124.0.1"
"""The control plane's address on the bridge."""
NODE_PREFIX_LENGTH = 24
POD_RANGE = "10.245.0.0/16"
SERVICE_RANGE = "10.97.0.0/24"
API_SERVICE_ADDRESS = "10.97.0.1"
DNS_SERVICE_ADDRESS = "10.97.0.10"
API_PORT = 6443
LOGIN_NODE_PORT = 30022
"""NodePort of the login Service; reached from the machine through the forwarder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One Kubernetes node of a local cluster.

    Attributes:
        number: 1, 2, …
    """

    number: int

    @property
    def name(self) -> str:
        """Name in Kubernetes."""
        return f"node{self.number}"

    @property
    def address(self) -> str:
        """Address on the cluster's bridge."""
        return f"10.124.0.{10 + self.number}"

    @property
    def pod_range(self) -> str:
        """Addresses of this node's Pods."""
        return f"10.245.{self.number}.0/24"

    @property
    def port_name(self) -> str:
        """The bridge's end of the node's cable, in the cluster's network namespace."""
        return f"to-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Paths and kernel names of the cluster `name` under `state_folder`."""

    name: str
    state_folder: Path

    @property
    def home(self) -> Path:
        """Everything of this cluster on disk."""
        return self.state_folder / "local" / self.name

    @property
    def pki(self) -> Path:
        """Certificates, keys and kubeconfigs."""
        return self.home / "pki"

    @property
    def run(self) -> Path:
        """Pid files and generated configuration."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.home / "log"

    @property
    def programs(self) -> Path:
        """The cluster's own links to the Kubernetes programs."""
        return self.home / "bin"

    @property
    def etcd(self) -> Path:
        """The store of Kubernetes objects."""
        return self.home / "etcd"

    @property
    def volumes(self) -> Path:
        """Folders behind persistent volumes; both nodes see them."""
        return self.home / "volumes"

    @property
    def access(self) -> Path:
        """What a person needs to get in: SSH key, known hosts, Slurm keys."""
        return self.home / "access"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig, through the forwarded port."""
        return self.home / "kubeconfig"

    @property
    def parameters(self) -> Path:
        """How this cluster was asked for: nodes, GPUs, ports."""
        return self.home / "cluster.json"

    @property
    def audit_log(self) -> Path:
        """kube-apiserver's audit log, one JSON event a line."""
        return self.logs / "audit.log"

    @property
    def namespace(self) -> str:
        """The cluster's network namespace (control plane and bridge)."""
        return f"sunk.{self.name}"

    def node_home(self, node: Node) -> Path:
        """A node's own folders."""
        return self.home / node.name

    def node_namespace(self, node: Node) -> str:
        """A node's network namespace."""
        return f"sunk.{self.name}.{node.name}"

    def node_cgroup(self, node: Node) -> str:
        """A node's place below the root of each cgroup hierarchy, without leading slash."""
        return f"{self.cgroup}/{node.name}"

    @property
    def cgroup(self) -> str:
        """The cluster's place below the root of each cgroup hierarchy."""
        return f"sunk/{self.name}"

    def pid_file(self, process: str) -> Path:
        """The pid file of one of the cluster's processes."""
        return self.run / f"{process}.pid"

    def log(self, process: str) -> Path:
        """The log of one of the cluster's processes."""
        return self.logs / f"{process}.log"


def namespace_path(name: str) -> Path:
    """Return where the kernel name of a network namespace is mounted."""
    return Path("/run/netns") / name


def cluster_layout(name: str, state_folder: Path) -> Layout:
    """Return the layout of the cluster `name`.

    Raises:
        InputError: the name cannot be one.
    """
    if NAME_FORM.fullmatch(name) is None:
        raise InputError(
            f"read cluster name {name!r}: not a usable name",
            hint="use up to 20 of a-z, 0-9 and '-', starting with a letter",
        )
    return Layout(name=name, state_folder=state_folder)


def nodes(count: int) -> tuple[Node, ...]:
    """Return the nodes of a cluster of `count` nodes.

    Raises:
        InputError: `count` is not between 1 and `NODE_COUNT_LIMIT`.
    """
    if not 1 <= count <= NODE_COUNT_LIMIT:
        raise InputError(f"read node count {count}: not between 1 and {NODE_COUNT_LIMIT}")
    return tuple(Node(number=number) for number in range(1, count + 1))


def node_named(text: str, count: int) -> Node:
    """Return the node called `text` of a cluster of `count` nodes.

    Raises:
        InputError: there is no such node; the hint lists those there are.
    """
    by_name = {node.name: node for node in nodes(count)}
    if text not in by_name:
        raise InputError(
            f"find node {text!r}: the cluster has no such node",
            hint=f"its nodes are {', '.join(sorted(by_name))}",
        )
    return by_name[text]
