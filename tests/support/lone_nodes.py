"""Slurm nodes as lone machines: each slurmd with a network, processes, name and /tmp of its own.

Programs that form a cluster of their own, Ray among them, look for themselves by address and by
process, and keep sockets in /tmp: nodes that share these would be one node to them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sunk.clients import process
from tests.support.slurm_namespace import SlurmNamespace

SHARED = "/srv"
"""Folder that all nodes see; the file system is one, and only /tmp is each node's own."""


def address(at: int) -> str:
    """Return the address of a node, by its place in the list."""
    return f"10.99.1.{at + 1}"


@contextmanager
def lone_nodes(slurm: SlurmNamespace, names: tuple[str, ...], cpus: int) -> Iterator[None]:
    """Have nodes in a cluster that has none yet."""
    prefix = f"ln{os.getpid()}x"
    hosts = slurm.path("/etc/hosts")
    hosts.write_text(
        hosts.read_text() + "".join(f"{address(at)} {one}\n" for at, one in enumerate(names))
    )
    try:
        for at, name in enumerate(names):
            _connect(slurm, f"{prefix}{at}", f"p{at}", address(at))
            _start(slurm, name, f"{prefix}{at}", address(at), cpus)
        slurm.until_idle(names)
        yield
    finally:
        for at in range(len(names)):
            process.run(["ip", "netns", "del", f"{prefix}{at}"], timeout_seconds=20, check=False)


def _connect(slurm: SlurmNamespace, network: str, port: str, own: str) -> None:
    def ip(*words: str) -> None:
        process.run(["ip", *words], timeout_seconds=20)

    ip("netns", "add", network)
    peer = ("peer", "name", port, "netns", slurm.network)
    ip("-n", network, "link", "add", "eth0", "type", "veth", *peer)
    ip("-n", network, "address", "add", f"{own}/16", "dev", "eth0")
    for device in ("lo", "eth0"):
        ip("-n", network, "link", "set", device, "up")
    inside = ["nsenter", "-t", slurm.network, "-n", "ip", "link", "set", port]
    process.run([*inside, "master", "br0", "up"], timeout_seconds=20)


def _start(slurm: SlurmNamespace, name: str, network: str, own: str, cpus: int) -> None:
    conf = f"CPUs={cpus} RealMemory=4000 Feature=worker NodeAddr={own}"
    slurmd = ["slurmd", "-D", "-Z", "-N", name, "--conf", conf]
    slurm.lone_daemon(f"slurmd-{name}", slurmd, host=name, network=network)
