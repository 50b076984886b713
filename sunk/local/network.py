"""The cluster's network: namespaces, a bridge, one cable for each node, and routes.

Nothing is created in the machine's own network namespace. Every operation is repeatable and puts
right what an interrupted run left half done.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sunk.clients import process
from sunk.local.layout import (
    CLUSTER_ADDRESS,
    NODE_PREFIX_LENGTH,
    Layout,
    Node,
    namespace_path,
)

BRIDGE = "bridge0"
_SECONDS = 20.0


def enter_argv(namespace: str) -> tuple[str, ...]:
    """Return the words that run a program in a network namespace.

    NB: not ``ip netns exec``: that remounts /sys and hides /sys/fs/cgroup.
    """
    return ("nsenter", f"--net={namespace_path(namespace)}", "--")


def exists(layout: Layout) -> bool:
    """Return whether the cluster's namespace is there."""
    return _is_mounted(namespace_path(layout.namespace))


def make_cluster_network(layout: Layout) -> None:
    """Make the cluster's namespace with its bridge."""
    namespace = layout.namespace
    if not _is_mounted(namespace_path(namespace)):
        _forget(namespace)
        _ip("netns", "add", namespace)
    _ip("-n", namespace, "link", "set", "lo", "up")
    if not _has_link(namespace, BRIDGE):
        _ip("-n", namespace, "link", "add", BRIDGE, "type", "bridge")
    address = f"{CLUSTER_ADDRESS}/{NODE_PREFIX_LENGTH}"
    _ip("-n", namespace, "addr", "replace", address, "dev", BRIDGE)
    _ip("-n", namespace, "link", "set", BRIDGE, "up")
    _forward_packets(namespace)


def connect_node(layout: Layout, node: Node, others: Sequence[Node]) -> None:
    """Make a node's namespace anew and lay its cable and routes."""
    own, hub = layout.node_namespace(node), layout.namespace
    disconnect_node(layout, node)
    _ip("netns", "add", own)
    _ip(
        *("-n", hub, "link", "add", node.port_name, "type", "veth"),
        *("peer", "name", "eth0", "netns", own),
    )
    _ip("-n", hub, "link", "set", node.port_name, "master", BRIDGE, "up")
    _ip("-n", own, "link", "set", "lo", "up")
    _ip("-n", own, "addr", "replace", f"{node.address}/{NODE_PREFIX_LENGTH}", "dev", "eth0")
    _ip("-n", own, "link", "set", "eth0", "up")
    _ip("-n", own, "route", "replace", "default", "via", CLUSTER_ADDRESS)
    for other in others:
        if other != node:
            _ip("-n", own, "route", "replace", other.pod_range, "via", other.address)
    _forward_packets(own)
    _ip("-n", hub, "route", "replace", node.pod_range, "via", node.address)


def connect_rail(layout: Layout, node: Node, rail: str, number: int) -> None:
    """Lay a node's cable of a rail: a bridge in the node, joined to the others' by one between.

    The bridge in the node is the one that the CNI plugin ``bridge`` then puts Pods on.
    """
    own, hub, port = layout.node_namespace(node), layout.namespace, f"{node.port_name}-r{number}"
    if not _has_link(hub, rail):
        _ip("-n", hub, "link", "add", rail, "type", "bridge")
    _ip("-n", hub, "link", "set", rail, "up")
    if _has_link(hub, port):
        _ip("-n", hub, "link", "delete", port)
    _ip("-n", own, "link", "add", rail, "type", "bridge")
    _ip("-n", own, "link", "set", rail, "up")
    uplink = f"up-{number}"
    _ip(*("-n", hub, "link", "add", port, "type", "veth", "peer", "name", uplink, "netns", own))
    _ip("-n", hub, "link", "set", port, "master", rail, "up")
    _ip("-n", own, "link", "set", uplink, "master", rail, "up")


def set_cable(layout: Layout, node: Node, *, up: bool) -> None:
    """Cut or heal a node's cable at the bridge: to the node it looks like a dead network."""
    hub = layout.namespace
    _ip("-n", hub, "link", "set", node.port_name, "up" if up else "down")
    if up:
        # The kernel drops the route when its device goes down.
        _ip("-n", hub, "route", "replace", node.pod_range, "via", node.address)


def cable_is_up(layout: Layout, node: Node) -> bool | None:
    """Return whether a node's cable is connected; nothing when there is no cable."""
    shown = process.run(
        ["ip", "-n", layout.namespace, "-o", "link", "show", node.port_name],
        timeout_seconds=_SECONDS,
        check=False,
    )
    if shown.status != 0:
        return None
    return "state DOWN" not in shown.stdout and ",UP" in shown.stdout


def disconnect_node(layout: Layout, node: Node) -> None:
    """Remove a node's namespace; its cable goes with it."""
    own = layout.node_namespace(node)
    if _is_mounted(namespace_path(layout.namespace)) and _has_link(
        layout.namespace, node.port_name
    ):
        _ip("-n", layout.namespace, "link", "delete", node.port_name)
    _forget(own)


def remove_cluster_network(layout: Layout) -> None:
    """Remove the cluster's namespace and its bridge."""
    _forget(layout.namespace)


def leftovers(layout: Layout) -> tuple[str, ...]:
    """Return the kernel names that still belong to the cluster."""
    folder = Path("/run/netns")
    if not folder.is_dir():
        return ()
    prefix = layout.namespace
    return tuple(
        sorted(
            p.name for p in folder.iterdir() if p.name == prefix or p.name.startswith(prefix + ".")
        )
    )


def _ip(*words: str) -> None:
    process.run(["ip", *words], timeout_seconds=_SECONDS)


def _has_link(namespace: str, link: str) -> bool:
    shown = process.run(
        ["ip", "-n", namespace, "link", "show", link], timeout_seconds=_SECONDS, check=False
    )
    return shown.status == 0


def _is_mounted(path: Path) -> bool:
    return any(line.split()[4] == str(path) for line in _mounts())


def _mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()


def _forget(namespace: str) -> None:
    """Remove a namespace's name, also when a reboot or a kill left only the file."""
    path = namespace_path(namespace)
    if not path.exists():
        return
    if _is_mounted(path):
        _ip("netns", "delete", namespace)
    else:
        path.unlink()


def _forward_packets(namespace: str) -> None:
    process.run(
        [*enter_argv(namespace), "sysctl", "-qw", "net.ipv4.ip_forward=1"], timeout_seconds=_SECONDS
    )
