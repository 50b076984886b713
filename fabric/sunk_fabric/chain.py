"""Each rail of each node, from what was bought to what was measured, hop by hop; pure.

A rail is a resource of virtual functions, by its name without the prefix. A hop is judged by the
evidence for it alone, so that the first one that is broken can be named even where later ones
happen to look well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sunk.assess.verdict import Verdict
from sunk_fabric.checks.answers import sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import (
    nccl_log,
    network_attachments,
    nodes,
    perftest,
    pod_networks,
    sriov_policies,
    sriov_state,
    sysfs_rdma,
)
from sunk_fabric.parse.network_attachments import Definition
from sunk_fabric.parse.nodes import Node
from sunk_fabric.parse.pod_networks import PodAttachments
from sunk_fabric.parse.sriov_policies import Policy
from sunk_fabric.parse.sriov_state import NodeState
from sunk_jobs.networks.nccl_log import Process
from sunk_jobs.sysfs_rdma import RdmaDevice


class Hop(StrEnum):
    """What has to hold, in this order."""

    CONTRACT = "contract"
    POLICY = "policy"
    STATE = "node state"
    FUNCTIONS = "functions"
    ALLOCATABLE = "allocatable"
    ATTACHMENT = "attachment"
    POD = "Pod"
    DEVICE = "device in the Pod"
    NCCL = "NCCL"
    RATE = "measured rate"


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of one hop.

    Attributes:
        hop: which.
        verdict: PASS, FAIL, UNKNOWN, or SKIP where nothing is declared.
        found: why, in words.
    """

    hop: Hop
    verdict: Verdict
    found: str


@dataclass(frozen=True, slots=True)
class Chain:
    """One rail of one node.

    Attributes:
        node: the Kubernetes Node.
        rail: name of the resource without its prefix.
        links: all hops, in order.
        evidence: what they rest on.
    """

    node: str
    rail: str
    links: tuple[Link, ...]
    evidence: tuple[str, ...]

    @property
    def broken(self) -> Link | None:
        """Return the first hop that is broken; nothing when none is."""
        return next((one for one in self.links if one.verdict is Verdict.FAIL), None)

    @property
    def verdict(self) -> Verdict:
        """Return FAIL with a broken hop, UNKNOWN where one is not known, PASS otherwise."""
        if self.broken is not None:
            return Verdict.FAIL
        unknown = any(one.verdict is Verdict.UNKNOWN for one in self.links)
        return Verdict.UNKNOWN if unknown else Verdict.PASS

    @property
    def found(self) -> str:
        """Return the hop that decides, in words."""
        decides = self.broken or next(
            (one for one in self.links if one.verdict is Verdict.UNKNOWN), self.links[-1]
        )
        return f"{decides.hop}: {decides.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """All readings that chains are made of; None where there is no sound one.

    Attributes:
        rails: as the site declares them.
        policies, nodes, states, attachments, pods: objects of Kubernetes.
        devices: host or Pod -> its RDMA devices.
        processes: host or Pod -> what NCCL's processes on it said.
        rates: host -> device -> Gb/s measured, best of all runs.
        evidence: of all of it.
    """

    rails: tuple[str, ...]
    policies: tuple[Policy, ...] | None
    nodes: Mapping[str, Node] | None
    states: Mapping[str, NodeState] | None
    attachments: tuple[Definition, ...] | None
    pods: tuple[PodAttachments, ...] | None
    devices: Mapping[str, tuple[RdmaDevice, ...]]
    processes: Mapping[str, tuple[Process, ...]]
    rates: Mapping[str, Mapping[str, float]]
    evidence: tuple[str, ...]


def sight_of(facts: Facts) -> Sight:
    """Return what was read; of several lists of one kind, the last one."""
    policies, found = sound(facts, sriov_policies.parse), sound(facts, nodes.parse)
    states, pods = sound(facts, sriov_state.parse), sound(facts, pod_networks.parse)
    attachments = sound(facts, network_attachments.parse)
    devices = sound(facts, sysfs_rdma.parse, pods=True)
    logs, runs = sound(facts, nccl_log.parse), sound(facts, perftest.parse)
    processes: dict[str, tuple[Process, ...]] = {}
    for log in logs:
        for name, process in log.parsed.value.processes.items():
            host = name.partition(":")[0]
            processes[host] = (*processes.get(host, ()), process)
    rates: dict[str, dict[str, float]] = {}
    for run in runs:
        best = max((row.average_gbit_per_s for row in run.parsed.value.bandwidth), default=None)
        device = run.parsed.value.settings.get("Device", "")
        if best is not None and device:
            of_host = rates.setdefault(run.host, {})
            of_host[device] = max(best, of_host.get(device, 0.0))
    every: tuple[Reading[Any], ...] = (
        *policies,
        *found,
        *states,
        *pods,
        *attachments,
        *devices,
        *logs,
        *runs,
    )
    return Sight(
        rails=facts.expected.rails,
        policies=policies[-1].parsed.value if policies else None,
        nodes={one.metadata.name: one for one in found[-1].parsed.value} if found else None,
        states={one.metadata.name: one for one in states[-1].parsed.value} if states else None,
        attachments=attachments[-1].parsed.value if attachments else None,
        pods=pods[-1].parsed.value if pods else None,
        devices={one.host: tuple(one.parsed.value.devices) for one in devices},
        processes=processes,
        rates=rates,
        evidence=tuple(one.evidence for one in every),
    )


def rails_of(seen: Sight) -> tuple[str, ...]:
    """Return all rails: declared ones, and those that a policy or a node's state speaks of."""
    asked = {one.spec.resource_name for one in seen.policies or ()}
    there = {
        group.resource_name
        for state in (seen.states or {}).values()
        for one in state.spec.interfaces
        for group in one.vf_groups
    }
    return tuple(sorted({*seen.rails, *asked, *there} - {""}))


def places_of(seen: Sight) -> Iterator[tuple[str, str]]:
    """Yield (Node, rail): all declared rails of all Nodes with a state or a policy, in order.

    A Node that no policy selects and the operator has no state of is not of this fabric.
    """
    named = {*(seen.nodes or {}), *(seen.states or {})}
    for node in sorted(named):
        labels = _labels(seen, node)
        chosen = any(one.selects(labels or {}) for one in seen.policies or ())
        if node in (seen.states or {}) or (labels is not None and chosen):
            yield from ((node, rail) for rail in rails_of(seen))


def _labels(seen: Sight, node: str) -> dict[str, str] | None:
    found = (seen.nodes or {}).get(node)
    return None if found is None else found.metadata.labels
