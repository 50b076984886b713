"""The network between nodes: switches, links, rails and NVLink domains, and who measured it.

The only form in which topology travels inside the project; `sunk.render.topology` reads and writes
it as a file. Written by a fabric scan, from labels of Nodes, from what Slurm says, or by hand; read
by Slurm's configuration, rank ordering, the cost model and reports. None means not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NO_TIER = -1
"""Where nodes are, below every switch."""
TIERS_MAX = 15


class SlurmForm(StrEnum):
    """Which of Slurm's files: topology.conf with switches or with blocks, or topology.yaml."""

    TREE = "tree"
    BLOCK = "block"
    YAML = "yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyNode:
    """One host.

    Attributes:
        name: what links and domains call it; unique among nodes and switches.
        slurm_name: its NodeName in Slurm.
        kubernetes_name: its Node in Kubernetes.
        gpus: how many GPUs it has.
    """

    name: str
    slurm_name: str | None = None
    kubernetes_name: str | None = None
    gpus: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """One switch.

    Attributes:
        name: unique among nodes and switches.
        tier: 0 where nodes are attached (leaf), 1 above (spine), and so on; Slurm calls it level.
        guid: its identity in the fabric.
    """

    name: str
    tier: int
    guid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Parallel cables between two ends.

    Attributes:
        lower: a node, or a switch of a lower tier than `upper`.
        upper: a switch.
        count: how many cables.
        rate_gbit_per_s: of one cable and direction.
        rail: of a node's link: which of its network adapters, by `Rail.index`.
    """

    lower: str
    upper: str
    count: int | None = None
    rate_gbit_per_s: float | None = None
    rail: int | None = None

    @property
    def gb_per_s(self) -> float | None:
        """Bytes of all cables together, per direction, in GB/s (10**9 bytes); None if unknown."""
        if self.count is None or self.rate_gbit_per_s is None:
            return None
        return self.count * self.rate_gbit_per_s / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """The same network adapter of every node, wired to leaves of its own.

    Attributes:
        index: counted from 0.
        device: what the adapter is called on the nodes, ``mlx5_0``.
    """

    index: int
    device: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NvlinkDomain:
    """Nodes whose GPUs reach each other over NVLink; Slurm's blocks.

    Attributes:
        name: unique among domains.
        nodes: names of nodes; each node is in one domain at most.
        gb_per_s_per_gpu: of one GPU and direction, in GB/s (10**9 bytes).
    """

    name: str
    nodes: tuple[str, ...]
    gb_per_s_per_gpu: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a part of the topology comes from.

    Attributes:
        what: the part, in words: ``switches and links``.
        source: how it was found: a command, a file, ``by hand``.
        who: person or program.
        when: RFC 3339 time, ``2026-02-03T04:05:06Z``.
    """

    what: str
    source: str
    who: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A cluster's network; valid as `sunk.render.topology` checks it.

    Attributes:
        name: of the cluster or network.
        nodes: sorted by name, naturally.
        switches: sorted by tier, then by name.
        links: sorted by their ends.
        rails: sorted by index.
        nvlink_domains: sorted by name.
        block_sizes: sizes that Slurm plans blocks in, in nodes, ascending; empty when not said.
        provenance: oldest first.
    """

    name: str
    nodes: tuple[TopologyNode, ...] = ()
    switches: tuple[Switch, ...] = ()
    links: tuple[Link, ...] = ()
    rails: tuple[Rail, ...] = ()
    nvlink_domains: tuple[NvlinkDomain, ...] = ()
    block_sizes: tuple[int, ...] = ()
    provenance: tuple[Provenance, ...] = ()
