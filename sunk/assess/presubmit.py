"""Whether a job could ever start, before it is submitted; pure.

Every check answers from one snapshot of the cluster. FAIL means that Slurm would refuse the job, or
keep it waiting for ever; WARN that it waits for something which somebody has to change. Checks
whose facts the snapshot does not have are UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sunk.assess import presubmit_limits as limits
from sunk.assess import presubmit_nodes as nodes
from sunk.assess.presubmit_answers import answer, blocked, skip, unknown
from sunk.assess.verdict import Finding, Verdict
from sunk.model.limits import ClusterSnapshot, JobRequest
from sunk.model.profile import ProfilePartition, TopologyPlugin


def check_request(request: JobRequest, snapshot: ClusterSnapshot) -> tuple[Finding, ...]:
    """Return one answer for each check, in a fixed order.

    When a check of the partition fails and the job would do in another one, a last answer says in
    which: ``presubmit.elsewhere``.
    """
    found = _checks(request, snapshot)
    if not any(one.verdict is Verdict.FAIL for one in found):
        return found
    return (*found, _elsewhere(request, snapshot, found))


def _checks(request: JobRequest, snapshot: ClusterSnapshot) -> tuple[Finding, ...]:
    partition = chosen_partition(request, snapshot)
    first = _partition(request, snapshot, partition)
    if partition is None:
        rest = [blocked(name, "which partition is meant is not known") for name in CHECKS]
        return (first, *rest, *_everywhere(request, snapshot))
    asked = _Asked(request=request, snapshot=snapshot, partition=partition)
    return (first, *(check(asked) for check in CHECKS.values()), *_everywhere(request, snapshot))


def chosen_partition(request: JobRequest, snapshot: ClusterSnapshot) -> ProfilePartition | None:
    """Return the partition that a job goes to; None when there is none."""
    for one in snapshot.profile.partitions:
        if one.name == request.partition or (request.partition is None and one.default):
            return one
    return None


def _partition(
    request: JobRequest, snapshot: ClusterSnapshot, partition: ProfilePartition | None
) -> Finding:
    check = "presubmit.partition"
    names = ", ".join(one.name for one in snapshot.profile.partitions)
    if partition is None:
        wrong = (
            "no partition is asked for, and none is the default"
            if request.partition is None
            else f"there is no partition {request.partition}"
        )
        return answer(check, wrong, "", f"partitions: {names}")
    state = partition.state
    if state == "DOWN":
        return Finding(
            check=check,
            verdict=Verdict.WARN,
            found=f"partition {partition.name} is DOWN: the job waits until somebody sets it UP",
            remedy="ask who runs the cluster, or choose another partition",
        )
    refused = f"partition {partition.name} is {state} and takes no jobs" if state != "UP" else ""
    return answer(check, refused, f"partition {partition.name} is UP", f"partitions: {names}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request, and the partition that it goes to."""

    request: JobRequest
    snapshot: ClusterSnapshot
    partition: ProfilePartition


def _count(asked: _Asked) -> Finding:
    request, partition = asked.request, asked.partition
    wrong = ""
    most = None if _may(asked, "PartitionMaxNodes") else partition.max_nodes
    if most is not None and request.nodes > most:
        wrong = f"{request.nodes} nodes, and a job in {partition.name} gets {partition.max_nodes}"
    if request.nodes < partition.min_nodes and not _may(asked, "PartitionMinNodes"):
        least = partition.min_nodes
        wrong = f"{request.nodes} nodes, and a job in {partition.name} has at least {least}"
    return answer(
        "presubmit.partition.nodes", wrong, f"{request.nodes} nodes are allowed", "change --nodes"
    )


def _may(asked: _Asked, flag: str) -> bool:
    """Return whether the job's QOS has a flag that lifts a limit of partitions."""
    name = limits.qos_of(asked.request, asked.snapshot, asked.partition)
    qos = limits.qos_named(name, asked.snapshot)
    return qos is not None and flag in qos.flags


def _time(asked: _Asked) -> Finding:
    check = "presubmit.partition.time"
    request, partition = asked.request, asked.partition
    most = partition.max_time_minutes
    wanted = request.time_minutes
    if wanted is None:
        # Slurm then takes the partition's own limit, which is never too long for it.
        return skip(check, "the job says no time, so it gets the partition's")
    wrong = most is not None and wanted > most and not _may(asked, "PartitionTimeLimit")
    return answer(
        check,
        f"{wanted} minutes, and {partition.name} allows {most}" if wrong else "",
        f"{wanted} minutes are allowed",
        f"--time={most}" if wrong else "",
    )


def _access(asked: _Asked) -> Finding:
    request, snapshot, partition = asked.request, asked.snapshot, asked.partition
    account = limits.account_of(request, snapshot)
    qos = limits.qos_of(request, snapshot, partition)
    check = "presubmit.partition.access"
    for noun, value, allowed, denied in (
        ("account", account, partition.accounts, partition.denied_accounts),
        ("QOS", qos, partition.qos, partition.denied_qos),
    ):
        if value is None and (allowed or denied):
            why = limits.undecided(check, request, snapshot, partition)
            return why or unknown(check, f"which {noun} the job gets", "name it in the job")
        if value in denied or (allowed and value not in allowed):
            open_to = f", which is for {', '.join(allowed)}" if allowed else ""
            wrong = f"{noun} {value} may not use {partition.name}{open_to}"
            return answer(check, wrong, "", f"ask for another {noun} or partition")
    return answer(check, "", f"account and QOS may use {partition.name}")


CHECKS: dict[str, Callable[[_Asked], Finding]] = {
    "presubmit.partition.nodes": _count,
    "presubmit.partition.time": _time,
    "presubmit.partition.access": _access,
    "presubmit.nodes": lambda asked: nodes.check_shapes(
        asked.request, asked.partition, asked.snapshot
    ),
    "presubmit.association": lambda asked: limits.check_association(
        asked.request, asked.snapshot, asked.partition
    ),
    "presubmit.qos": lambda asked: limits.check_qos(asked.request, asked.snapshot, asked.partition),
    "presubmit.limits": lambda asked: limits.check_limits(
        asked.request, asked.snapshot, asked.partition
    ),
}
"""Checks that need to know the partition."""


def _everywhere(request: JobRequest, snapshot: ClusterSnapshot) -> tuple[Finding, ...]:
    return (_array(request, snapshot), _segment(request, snapshot))


def _array(request: JobRequest, snapshot: ClusterSnapshot) -> Finding:
    check = "presubmit.array"
    if request.array_last is None:
        return skip(check, "no array")
    size = snapshot.profile.slurm.max_array_size
    if size is None:
        return unknown(check, "MaxArraySize", "sunk profile detect reads it")
    wrong = request.array_last >= size
    return answer(
        check,
        f"index {request.array_last}, and the largest is {size - 1} (MaxArraySize)"
        if wrong
        else "",
        f"indices up to {size - 1} are allowed",
        "split the array, and add an offset to the index",
    )


def _segment(request: JobRequest, snapshot: ClusterSnapshot) -> Finding:
    check, segment = "presubmit.segment", request.segment_nodes
    if segment is None:
        return skip(check, "no segments")
    if segment < 1 or request.nodes % segment:
        return answer(
            check,
            f"{request.nodes} nodes are no multiple of a segment of {segment}",
            "",
            "give a segment that divides the nodes",
        )
    plugin = snapshot.profile.slurm.topology
    if plugin is None or snapshot.blocks is None:
        return unknown(check, "the cluster's blocks", "scontrol show topology lists them")
    if plugin is not TopologyPlugin.BLOCK:
        return Finding(
            check=check,
            verdict=Verdict.WARN,
            found=f"segments have no effect: the topology is {plugin}, not block",
            remedy="with a tree --switches=1 keeps a job on one leaf",
        )
    room = sum(block // segment for block in snapshot.blocks)
    wanted = request.nodes // segment
    return answer(
        check,
        f"{wanted} segments of {segment} nodes, and all blocks have room for {room}"
        if wanted > room
        else "",
        f"{wanted} segments of {segment} nodes fit into the blocks",
        f"the largest block has {max(snapshot.blocks, default=0)} nodes: ask for smaller segments",
    )


def _elsewhere(
    request: JobRequest, snapshot: ClusterSnapshot, found: tuple[Finding, ...]
) -> Finding:
    check = "presubmit.elsewhere"
    here = chosen_partition(request, snapshot)
    fits = [
        one.name
        for one in snapshot.profile.partitions
        if one != here and _would_do(replace(request, partition=one.name), snapshot)
    ]
    if fits:
        return Finding(
            check=check,
            verdict=Verdict.WARN,
            found=f"it would fit in partition {', '.join(fits)}",
            remedy=f"--partition={fits[0]}",
        )
    why = next(one.found for one in found if one.verdict is Verdict.FAIL)
    return Finding(
        check=check, verdict=Verdict.FAIL, found=f"it can never start, in any partition: {why}"
    )


def _would_do(request: JobRequest, snapshot: ClusterSnapshot) -> bool:
    good = {Verdict.PASS, Verdict.SKIP, Verdict.WARN}
    found = _checks(request, snapshot)
    return found[0].verdict is Verdict.PASS and all(one.verdict in good for one in found)
