"""How long a collective should take on a network: formulas, with their sources; pure.

Times are expected ones for large messages on a quiet network; small messages are dominated by the
latencies, which are rough. A collective over NVLink and network at once is a bracket: with perfect
overlap of the two it takes the longer of both, without any their sum. Measured times lie between.

Sizes are S as nccl-tests count them, per rank: the buffer of an all-reduce; the gathered buffer of
an all-gather; the buffer that a reduce-scatter scatters; what one rank sends in an all-to-all, its
own part included. Bandwidths are in GB/s (10**9 bytes), per GPU and direction.

Sources:
    nccl-tests, PERFORMANCE.md: algorithm and bus bandwidth, their factors.
    R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of Collective Communication Operations in
    MPICH" (2005): rings move (n-1)/n of S per step of reduce-scatter and of all-gather.
    NCCL 2.30, src/graph/tuning.cc: latency of a network hop with the Simple protocol.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from sunk.errors import InputError


class Collective(StrEnum):
    """What is run."""

    ALL_REDUCE = "all-reduce"
    ALL_GATHER = "all-gather"
    REDUCE_SCATTER = "reduce-scatter"
    ALL_TO_ALL = "all-to-all"


class Algorithm(StrEnum):
    """How it is run."""

    RING = "ring"
    """One flat ring over all ranks for each rail."""
    HIERARCHICAL = "hierarchical"
    """Inside the node over NVLink, between nodes over each GPU's own rail, in turns."""
    SHARP = "sharp"
    """As hierarchical, but switches do the reduction: one pass up, one down. All-reduce only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What the hardware moves, and how much of that is reached.

    Attributes:
        network_gb_per_s: of one GPU's share of the network adapters, per direction.
        nvlink_gb_per_s: of one GPU over NVLink, per direction; None where there is none, and
            GPUs of a node then reach each other as other nodes do.
        network_efficiency: reached part on the network. 0.8: 73 to 90 % are seen with 400 Gbit/s
            adapters at 1 GiB and more.
        nvlink_efficiency: reached part over NVLink. 0.82: 367 of 450 GB/s, H200, all-reduce.
        hop_seconds: latency of one step over the network. 14 µs: NCCL's figure for the Simple
            protocol, for rings and trees alike.
        sharp_seconds: latency of one reduction in the switches, whatever the number of nodes.
            30 µs: NCCL's figure for CollNet.
    """

    network_gb_per_s: float
    nvlink_gb_per_s: float | None = None
    network_efficiency: float = 0.8
    nvlink_efficiency: float = 0.82
    hop_seconds: float = 14e-6
    sharp_seconds: float = 30e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The ranks of a collective: one for each GPU.

    Attributes:
        nodes: how many nodes they are on.
        ranks_per_node: how many on each.
        crossing_factor: how much longer the network takes because places are oversubscribed and
            left more often than needed, at least 1: see `crossing_factor`.
    """

    nodes: int
    ranks_per_node: int
    crossing_factor: float = 1.0

    @property
    def ranks(self) -> int:
        """How many ranks there are."""
        return self.nodes * self.ranks_per_node


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The expected time of one collective.

    Attributes:
        least_seconds: NVLink and network overlap perfectly.
        most_seconds: they do not overlap at all.
        nvlink_seconds: what NVLink takes of it.
        network_seconds: what the network takes of it, without latency.
        latency_seconds: what does not depend on the size.
        algbw_gb_per_s: algorithm bandwidth at `most_seconds`.
        busbw_gb_per_s: bus bandwidth at `most_seconds`.
    """

    least_seconds: float
    most_seconds: float
    nvlink_seconds: float
    network_seconds: float
    latency_seconds: float
    algbw_gb_per_s: float
    busbw_gb_per_s: float


def bus_factor(collective: Collective, ranks: int) -> float:
    """Return bus bandwidth divided by algorithm bandwidth; nccl-tests, PERFORMANCE.md."""
    part = (ranks - 1) / ranks
    return 2 * part if collective is Collective.ALL_REDUCE else part


def crossing_factor(
    oversubscription: Mapping[str, float], exits: Mapping[str, int], members: Mapping[str, int]
) -> float:
    """Return how much longer a ring takes on the network than one that nothing slows down.

    m nodes have a share of m/o nodes' worth in the uplink of their place; a ring that leaves it x
    times at once puts x nodes' worth on it. So the share is x·o/m times too full, and the fullest
    one holds all others up. Other nodes of the place are taken to be as busy.

    Args:
        oversubscription: of each place; one that is missing here is taken as 1.
        exits: how often the ring leaves each place.
        members: how many of the job's nodes are in each place.
    """
    loads = (oversubscription.get(place, 1.0) * x / members[place] for place, x in exits.items())
    return max((1.0, *loads))


def placement_factor(oversubscription: Mapping[str, float], members: Mapping[str, int]) -> float:
    """Return how much longer an all-to-all takes on the network than on one place.

    Every node sends the same to every other. Of what a node of a place with m of N nodes sends,
    (N-m)/N leaves the place, over a share of the uplink of 1/o of its adapters; (N-1)/N leaves the
    node. Other nodes of the place are taken to be as busy.

    Args:
        oversubscription: of each place; one that is missing here is taken as 1.
        members: how many of the job's nodes are in each place; places of one tier.
    """
    nodes = sum(members.values())
    if nodes < 2:
        return 1.0
    loads = (
        oversubscription.get(place, 1.0) * (nodes - m) / (nodes - 1) for place, m in members.items()
    )
    return max((1.0, *loads))


def estimate(
    collective: Collective,
    algorithm: Algorithm,
    size_bytes: float,
    shape: Shape,
    links: Links,
) -> Estimate:
    """Return the expected time of a collective.

    Args:
        collective: what is run.
        algorithm: how; for all-to-all it makes no difference, and without NVLink there are no
            levels inside a node.
        size_bytes: S, see above.
        shape: the ranks.
        links: the hardware.

    Raises:
        InputError: a number is not positive, the crossing factor is below 1, or SHARP is asked for
            something else than an all-reduce.
    """
    _check(collective, algorithm, size_bytes, shape, links)
    if links.nvlink_gb_per_s is None:
        # Every GPU reaches every other over its own share of the adapters, as if alone on a node.
        shape = replace(shape, nodes=shape.ranks, ranks_per_node=1)
    match collective, algorithm:
        case Collective.ALL_TO_ALL, _:
            times = _all_to_all(size_bytes, shape, links)
        case _, Algorithm.RING:
            times = _ring(_passes(collective), size_bytes, shape, links)
        case _:
            times = _in_levels(collective, algorithm, size_bytes, shape, links)
    most = times.latency + (
        max(times.nvlink, times.network) if times.overlap else times.nvlink + times.network
    )
    algorithm_bandwidth = size_bytes / most / 1e9 if most else 0.0
    return Estimate(
        least_seconds=max(times.nvlink, times.network) + times.latency,
        most_seconds=most,
        nvlink_seconds=times.nvlink,
        network_seconds=times.network,
        latency_seconds=times.latency,
        algbw_gb_per_s=algorithm_bandwidth,
        busbw_gb_per_s=algorithm_bandwidth * bus_factor(collective, shape.ranks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seconds:
    """What takes how long; `overlap`: NVLink and network always work at once."""

    nvlink: float
    network: float
    latency: float
    overlap: bool = False


def _passes(collective: Collective) -> int:
    """Return how often the data goes round: an all-reduce scatters sums and gathers them again."""
    return 2 if collective is Collective.ALL_REDUCE else 1


def _ring(passes: int, size_bytes: float, shape: Shape, links: Links) -> _Seconds:
    """n-1 steps of S/n in each pass.

    A node has g rings of S/g, one over each rail; each of its GPUs is in all of them. The slower of
    NVLink and network holds a ring up. Steps inside a node take no time to speak of.
    """
    n, g = shape.ranks, shape.ranks_per_node
    volume = passes * (n - 1) / n * size_bytes
    outside = volume / g / _network_bytes_per_s(links) * shape.crossing_factor
    return _Seconds(
        nvlink=_nvlink_seconds(volume, links) if g > 1 else 0.0,
        network=outside if shape.nodes > 1 else 0.0,
        latency=passes * (shape.nodes - 1) * links.hop_seconds,
        overlap=True,
    )


def _in_levels(
    collective: Collective, algorithm: Algorithm, size_bytes: float, shape: Shape, links: Links
) -> _Seconds:
    """Reduce-scatter inside, all-reduce of S/g on each rail, all-gather inside; or halves of it."""
    passes = _passes(collective)
    k, g = shape.nodes, shape.ranks_per_node
    nvlink = _nvlink_seconds(passes * (g - 1) / g * size_bytes, links)
    if k == 1:
        return _Seconds(nvlink=nvlink, network=0.0, latency=0.0)
    rail = size_bytes / g / _network_bytes_per_s(links) * shape.crossing_factor
    if algorithm is Algorithm.SHARP:
        return _Seconds(nvlink=nvlink, network=rail, latency=links.sharp_seconds)
    network = passes * (k - 1) / k * rail
    return _Seconds(
        nvlink=nvlink, network=network, latency=passes * math.log2(k) * links.hop_seconds
    )


def _all_to_all(size_bytes: float, shape: Shape, links: Links) -> _Seconds:
    """Of S, (n-g)/n leave the node and (g-1)/n go to its other GPUs.

    The order of ranks makes no difference, only where the nodes are: the crossing factor then has
    to be `placement_factor`.
    """
    n, g = shape.ranks, shape.ranks_per_node
    outside = (n - g) / n * size_bytes / _network_bytes_per_s(links) * shape.crossing_factor
    return _Seconds(
        nvlink=_nvlink_seconds((g - 1) / n * size_bytes, links),
        network=outside,
        latency=links.hop_seconds if shape.nodes > 1 else 0.0,
    )


def _check(
    collective: Collective, algorithm: Algorithm, size_bytes: float, shape: Shape, links: Links
) -> None:
    numbers = {
        "size_bytes": size_bytes,
        "nodes": shape.nodes,
        "ranks_per_node": shape.ranks_per_node,
        "network_gb_per_s": links.network_gb_per_s,
        "nvlink_gb_per_s": 1.0 if links.nvlink_gb_per_s is None else links.nvlink_gb_per_s,
        "network_efficiency": links.network_efficiency,
        "nvlink_efficiency": links.nvlink_efficiency,
    }
    for name, value in numbers.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"estimate {collective}: {name} is {value}, not above 0")
    if not (math.isfinite(shape.crossing_factor) and shape.crossing_factor >= 1):
        raise InputError(
            f"estimate {collective}: crossing_factor is {shape.crossing_factor}, not 1 or more"
        )
    if algorithm is Algorithm.SHARP and collective is not Collective.ALL_REDUCE:
        raise InputError(
            f"estimate {collective} with SHARP: the model has it for all-reduce alone",
            hint="an all-gather or reduce-scatter moves each byte once already",
        )


def _nvlink_seconds(volume_bytes: float, links: Links) -> float:
    if links.nvlink_gb_per_s is None:
        return 0.0
    return volume_bytes / (links.nvlink_gb_per_s * 1e9 * links.nvlink_efficiency)


def _network_bytes_per_s(links: Links) -> float:
    return links.network_gb_per_s * 1e9 * links.network_efficiency
