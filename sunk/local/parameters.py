"""How a local cluster was asked for, and the two ports it got; kept beside its state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sunk.errors import ConfigError
from sunk.local.files import write_whole
from sunk.local.layout import Layout, cluster_layout
from sunk.local.ports import free_port

FIRST_API_PORT = 16443
FIRST_SSH_PORT = 16022


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How a cluster was asked for; kept beside its state.

    Attributes:
        node_count: Kubernetes nodes.
        gpus: simulated GPUs on each node.
        rails: simulated rails of each node.
        api_port: loopback port of the machine that leads to kube-apiserver.
        ssh_port: loopback port of the machine that leads to the login node.
    """

    node_count: int = 2
    gpus: int = 0
    rails: int = 0
    api_port: int = 0
    ssh_port: int = 0


def read_parameters(layout: Layout) -> Parameters | None:
    """Return how a cluster was asked for, or nothing when there is none."""
    try:
        return msgspec.json.decode(layout.parameters.read_bytes(), type=Parameters)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None


def require_same(name: str, existing: Parameters, wanted: Parameters) -> None:
    """Do nothing when an existing cluster is as wanted.

    Raises:
        ConfigError: it is not; the hint says what to give.
    """
    if _kind(existing) != _kind(wanted):
        raise ConfigError(
            f"bring up cluster {name}: it exists with {_words(existing)}, not {_words(wanted)}",
            hint=f"keep it with: {_options(existing)}; or first: sunk local down --name {name}",
        )


def _kind(one: Parameters) -> tuple[int, ...]:
    return one.node_count, one.gpus, one.rails


def _words(one: Parameters) -> str:
    return f"{one.node_count} nodes of {one.gpus} GPUs and {one.rails} rails"


def _options(one: Parameters) -> str:
    return f"--nodes {one.node_count} --gpus {one.gpus} --rails {one.rails}"


def write_parameters(layout: Layout, parameters: Parameters) -> None:
    """Keep how a cluster was asked for."""
    write_whole(layout.parameters, msgspec.json.encode(parameters))


def with_free_ports(parameters: Parameters, promised: Collection[int]) -> Parameters:
    """Return the parameters with ports that are free, the same as before if possible."""
    return replace(
        parameters,
        api_port=free_port(parameters.api_port or FIRST_API_PORT, without=promised),
        ssh_port=free_port(parameters.ssh_port or FIRST_SSH_PORT, without=promised),
    )


def promised_ports(clusters: Mapping[str, str]) -> frozenset[int]:
    """Return the ports of these clusters (name -> state folder), up or about to be."""
    found: set[int] = set()
    for name, folder in clusters.items():
        other = read_parameters(cluster_layout(name, Path(folder)))
        found |= set() if other is None else {other.api_port, other.ssh_port}
    return frozenset(found)
