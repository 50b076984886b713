"""The one line of JSON that each program prints at its end, on rank 0: what stands in it.

Keys are these fields. A program that is refused or fails before it has a result prints no line.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

COLLECTIVES = "sunk.dev/collectives/v1"
TORCH_COLLECTIVES = "sunk.dev/torch_collectives/v1"
PAIR = "sunk.dev/pair/v1"
RAY_NODES = "sunk.dev/ray_nodes/v1"
TRAIN_DDP = "sunk.dev/train_ddp/v1"
TRAIN_FSDP2 = "sunk.dev/train_fsdp2/v1"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One collective at one size.

    Attributes:
        collective: `all_reduce`, `all_gather`, `reduce_scatter` or `all_to_all`.
        size_bytes: what was really moved, S of the formulas: the largest buffer of a rank.
        elements: in each rank's send buffer.
        calls: in a row for one sample, between two barriers.
        seconds: of one call: the largest of the ranks' medians.
        p50_seconds: median over samples, each as slow as its slowest rank.
        p99_seconds: 99th percentile of the same.
        algbw_gb_per_s: S / seconds, in 10^9 bytes.
        busbw_gb_per_s: algbw times the factor of nccl-tests for this collective.
        slowest_rank: whose median is largest.
        wrong_elements: over all ranks, in one call after the timed ones.
    """

    collective: str
    size_bytes: int
    elements: int
    calls: int
    seconds: float
    p50_seconds: float
    p99_seconds: float
    algbw_gb_per_s: float
    busbw_gb_per_s: float
    slowest_rank: int
    wrong_elements: int


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Bandwidth between each two ranks, as many disjoint pairs at a time as there are.

    Attributes:
        size_bytes: of one message.
        gb_per_s: by sending rank, then by receiving rank; null on the diagonal.
        median_gb_per_s: of all of them; null with one rank.
        slowest: sending and receiving rank of the slowest pair; empty with one rank.
        wrong_elements: over all pairs, in the last message of each.
    """

    size_bytes: int
    gb_per_s: tuple[tuple[float | None, ...], ...]
    median_gb_per_s: float | None
    slowest: tuple[int, ...]
    wrong_elements: int


@dataclass(frozen=True, kw_only=True)
class CollectivesResult:
    """What `sunk_jobs.collectives` and `sunk_jobs.torch_collectives` measured.

    Attributes:
        schema: `sunk.dev/collectives/v1` or `sunk.dev/torch_collectives/v1`.
        correct: whether no element was wrong anywhere.
        ranks: size of the communicator.
        hosts: host of each rank, in rank order.
        library: the MPI library, or torch and its back end.
        element_type: of the buffers' elements.
        samples: timed samples at each size.
        reordered: whether ranks were put in the order of a rank map.
        rows: by collective, then by size; sizes too small for the ranks are left out.
        pairs: the pairwise matrix; null unless it was asked for.
        job_id: Slurm's; empty outside a job.
    """

    schema: str
    correct: bool
    ranks: int
    hosts: tuple[str, ...]
    library: str
    element_type: str
    samples: int
    reordered: bool
    rows: tuple[Row, ...]
    pairs: Pairs | None
    job_id: str


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What `sunk_jobs.train_ddp` and `sunk_jobs.train_fsdp2` did in this attempt.

    Attributes:
        schema: `sunk.dev/train_ddp/v1` or `sunk.dev/train_fsdp2/v1`.
        outcome: `finished`, `saved` (asked to stop; a requeue goes on), `unsaved` (the same, and it
            could not save), `storage` (saves keep failing), `diverged` (the loss is not finite), or
            `rollback` (the same, and the run may go back to an earlier checkpoint).
        exit_code: of every rank: 0, 1 (`rollback`), 75, 76 or 93.
        attempt: number of the attempt, from 0.
        ranks: size of the world.
        backend: `nccl` or `gloo`.
        first_step: step that this attempt began with, from 1.
        last_step: last step that was done.
        steps: step to end at.
        resumed_from: step of the checkpoint that was loaded; null at a fresh start.
        first_loss: mean loss of the first step of this attempt; null without a step.
        last_loss: of its last step; null without a step.
        parameters: of the model.
        tokens_per_second: over all ranks, by the median step; null without a step.
        step_p50_seconds: median of a step on rank 0; null without a step.
        step_p99_seconds: 99th percentile of the same; null without a step.
        saves: checkpoints that became durable in this attempt.
        failed_saves: checkpoints that did not.
        job_id: Slurm's; empty outside a job.
    """

    schema: str
    outcome: str
    exit_code: int
    attempt: int
    ranks: int
    backend: str
    first_step: int
    last_step: int
    steps: int
    resumed_from: int | None
    first_loss: float | None
    last_loss: float | None
    parameters: int
    tokens_per_second: float | None
    step_p50_seconds: float | None
    step_p99_seconds: float | None
    saves: int
    failed_saves: int
    job_id: str


@dataclass(frozen=True, kw_only=True)
class RayResult:
    """What `sunk_jobs.ray_nodes` found of a Ray cluster.

    Attributes:
        schema: `sunk.dev/ray_nodes/v1`.
        correct: whether every block arrived whole, on the node it was meant for.
        hosts: Slurm's name of each node that worked, or the machine's, sorted.
        tasks: that ran, over all nodes.
        block_bytes: size of a block, which one node made and another one read.
        wrong_blocks: that were not whole, or read elsewhere.
        library: Ray and its version.
        job_id: Slurm's; empty outside a job.
    """

    schema: str
    correct: bool
    hosts: tuple[str, ...]
    tasks: int
    block_bytes: int
    wrong_blocks: int
    library: str
    job_id: str


@dataclass(frozen=True, kw_only=True)
class PairResult:
    """What `sunk_jobs.pair send` measured, from sender to receiver.

    Attributes:
        schema: `sunk.dev/pair/v1`.
        complete: whether all bytes were sent before the time was over.
        streams: connections at once.
        bytes: that arrived, of all streams.
        seconds: from the first byte sent to the receiver's word that the last one arrived.
        gbit_per_s: bytes / seconds, in 10^9 bits.
        segments: TCP segments sent, repeated ones included; null where the kernel does not count.
        retransmits: how many of them were repeated; null where the kernel does not count.
        mss_bytes: payload of one segment.
        rtt_us: smoothed round trip at the end, the largest of the streams.
        congestion: the sender's congestion control.
        local_address: of the sender.
        local_device: network device that has it; empty when none has.
        local_mtu_bytes: largest packet of that device; null when none has.
        peer_address: of the receiver.
        peer_device: network device of the receiver that has its address.
        peer_mtu_bytes: largest packet of that device.
    """

    schema: str
    complete: bool
    streams: int
    bytes: int
    seconds: float
    gbit_per_s: float
    segments: int | None
    retransmits: int | None
    mss_bytes: int | None
    rtt_us: int | None
    congestion: str
    local_address: str
    local_device: str
    local_mtu_bytes: int | None
    peer_address: str
    peer_device: str
    peer_mtu_bytes: int | None


def line_of(result: CollectivesResult | TrainResult | RayResult) -> str:
    """Return a result as one line of sorted JSON."""
    return json.dumps(record_of(result), sort_keys=True)


def record_of(result: CollectivesResult | TrainResult | RayResult) -> dict[str, Any]:
    """Return a result as what JSON has."""
    return asdict(result)
