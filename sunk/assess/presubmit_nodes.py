"""Whether a partition has enough nodes of the shape that a job asks for; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sunk.assess.presubmit_answers import answer, unknown
from sunk.assess.verdict import Finding
from sunk.model.limits import ClusterSnapshot, JobRequest
from sunk.model.profile import NodeKind, ProfilePartition

CHECK = "presubmit.nodes"


def check_shapes(
    request: JobRequest, partition: ProfilePartition, snapshot: ClusterSnapshot
) -> Finding:
    """Return whether enough nodes have the CPUs, memory, GPUs and features asked for."""
    if not snapshot.profile.knows("partitions.nodes"):
        return unknown(CHECK, "the shape of the nodes", "sunk profile detect reads it")
    needs = tuple(_needs(request, partition))
    fit = sum(kind.count for kind in partition.nodes if all(holds(kind) for _, holds, _ in needs))
    if fit >= request.nodes:
        return answer(
            CHECK, "", f"{fit} nodes of {partition.name} would do, {request.nodes} are asked for"
        )
    for what, holds, most in needs:
        if not any(holds(kind) for kind in partition.nodes):
            return answer(
                CHECK,
                f"no node of {partition.name} has {what}: {most(partition.nodes)}",
                "",
                "ask for less on each node",
            )
    wanted = ", ".join(what for what, _, _ in needs)
    return answer(
        CHECK,
        f"{fit} of {partition.total_nodes} nodes of {partition.name} have {wanted}, "
        f"{request.nodes} are asked for",
        "",
        "ask for fewer nodes, or for less on each",
    )


_Need = tuple[str, Callable[[NodeKind], bool], Callable[[tuple[NodeKind, ...]], str]]
"""What it is; whether a node has it; what the partition has instead."""


def _needs(request: JobRequest, partition: ProfilePartition) -> Iterator[_Need]:
    cpus, most_cpus = request.cpus_per_node, partition.max_cpus_per_node
    yield _amount(f"{cpus} CPUs", cpus, lambda kind: min(kind.cpus, most_cpus or kind.cpus))
    if memory := request.memory_per_node_mib:
        most = partition.max_memory_per_node_mib
        yield _amount(
            f"{memory} MiB", memory, lambda kind: min(kind.memory_mib, most or kind.memory_mib)
        )
    if gpus := request.gpus_per_node:
        yield (
            f"{gpus} GPUs" + (f" of type {request.gpu_type}" if request.gpu_type else ""),
            lambda kind: kind.gpus >= gpus and request.gpu_type in (None, kind.gpu_type),
            _gpus,
        )
    if features := request.features:
        yield (
            f"features {', '.join(sorted(features))}",
            lambda kind: features <= set(kind.features),
            _features,
        )


def _amount(what: str, least: int, for_a_job: Callable[[NodeKind], int]) -> _Need:
    return (
        f"{what} for a job",
        lambda kind: for_a_job(kind) >= least,
        lambda kinds: f"the most is {max(map(for_a_job, kinds), default=0)}",
    )


def _features(kinds: tuple[NodeKind, ...]) -> str:
    found = sorted({one for kind in kinds for one in kind.features})
    return f"there are {', '.join(found) or 'none'}"


def _gpus(kinds: tuple[NodeKind, ...]) -> str:
    found = sorted({(kind.gpus, kind.gpu_type or "gpu") for kind in kinds if kind.gpus})
    return ", ".join(f"there are {count} x {kind}" for count, kind in found) or "there are none"
