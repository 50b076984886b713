"""Pods and Nodes on the wire: msgspec structs with the few fields we read, and their model."""

from __future__ import annotations

from typing import Any

import msgspec

from sunk.model import kube
from sunk.model.kube import KubeNode, Pod, Taint


class Meta(msgspec.Struct, rename="camel"):
    """ObjectMeta."""

    name: str
    uid: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class Condition(msgspec.Struct, rename="camel"):
    """A condition of a Pod or Node."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class Waiting(msgspec.Struct):
    """Why a container does not run."""

    reason: str = ""
    message: str = ""


class ContainerState(msgspec.Struct):
    """A container's state; only the waiting one tells us something."""

    waiting: Waiting | None = None


class ContainerStatus(msgspec.Struct, rename="camel"):
    """Status of one container."""

    name: str
    restart_count: int = 0
    state: ContainerState | None = None


class PodSpec(msgspec.Struct, rename="camel"):
    """The part of a Pod's spec that we read."""

    node_name: str | None = None


class PodStatus(msgspec.Struct, rename="camel"):
    """The part of a Pod's status that we read."""

    phase: str = "Unknown"
    pod_ip: str | None = msgspec.field(name="podIP", default=None)
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class WirePod(msgspec.Struct):
    """A Pod."""

    metadata: Meta
    spec: PodSpec
    status: PodStatus


class PodList(msgspec.Struct):
    """A list of Pods; `items` may be null."""

    items: list[WirePod] | None


class WireTaint(msgspec.Struct):
    """One taint of a Node."""

    key: str
    effect: str
    value: str = ""


class NodeSpec(msgspec.Struct):
    """The part of a Node's spec that we read."""

    unschedulable: bool = False
    taints: list[WireTaint] | None = None


class Address(msgspec.Struct):
    """One address of a Node."""

    type: str
    address: str


class NodeStatus(msgspec.Struct):
    """The part of a Node's status that we read."""

    conditions: list[Condition] | None = None
    allocatable: dict[str, str] | None = None
    addresses: list[Address] | None = None


class WireNode(msgspec.Struct):
    """A Node."""

    metadata: Meta
    spec: NodeSpec
    status: NodeStatus


class NodeList(msgspec.Struct):
    """A list of Nodes; `items` may be null."""

    items: list[WireNode] | None


class ListMeta(msgspec.Struct, rename="camel"):
    """ListMeta."""

    resource_version: str


class AnyList(msgspec.Struct):
    """A list of anything, for what is said about the list itself."""

    metadata: ListMeta


class Event(msgspec.Struct):
    """One line of a watch; the object is decoded by whoever wants it."""

    type: str
    object: dict[str, Any]


class Status(msgspec.Struct):
    """The API server's error document."""

    message: str = ""
    reason: str = ""
    code: int = 0


def pod(wire: WirePod) -> Pod:
    """Return the model of a Pod."""
    meta, status = wire.metadata, wire.status
    conditions = status.conditions or []
    ready = any(c.type == "Ready" and c.status == "True" for c in conditions)
    containers = (status.init_container_statuses or []) + (status.container_statuses or [])
    return Pod(
        name=meta.name,
        namespace=meta.namespace,
        uid=meta.uid,
        labels=meta.labels or {},
        annotations=meta.annotations or {},
        created=meta.creation_timestamp or "",
        node=wire.spec.node_name or None,
        ip=status.pod_ip,
        phase=status.phase,
        ready=ready,
        deleting=meta.deletion_timestamp is not None,
        trouble="" if ready else _trouble(conditions, containers),
        restarts=sum(c.restart_count for c in containers),
        conditions=_conditions(conditions),
    )


def node(wire: WireNode) -> KubeNode:
    """Return the model of a Node."""
    states = {c.type: c.status for c in wire.status.conditions or []}
    ready = {"True": True, "False": False}.get(states.get("Ready", "Unknown"))
    internal = [a.address for a in wire.status.addresses or [] if a.type == "InternalIP"]
    return KubeNode(
        name=wire.metadata.name,
        uid=wire.metadata.uid,
        labels=wire.metadata.labels or {},
        ready=ready,
        cordoned=wire.spec.unschedulable,
        taints=tuple(
            Taint(key=one.key, effect=one.effect, value=one.value) for one in wire.spec.taints or []
        ),
        allocatable=wire.status.allocatable or {},
        address=internal[0] if internal else None,
        conditions=_conditions(wire.status.conditions or []),
    )


def _conditions(wires: list[Condition]) -> dict[str, kube.Condition]:
    return {
        one.type: kube.Condition(
            type=one.type,
            status=one.status,
            reason=one.reason,
            message=one.message,
            since=one.last_transition_time or "",
        )
        for one in wires
    }


def _trouble(conditions: list[Condition], containers: list[ContainerStatus]) -> str:
    for container in containers:
        waiting = container.state.waiting if container.state else None
        if waiting is not None and waiting.reason not in {"", "PodInitializing"}:
            text = f"{container.name}: {waiting.reason}"
            return f"{text}: {waiting.message}" if waiting.message else text
    for condition in conditions:
        if condition.status != "True" and condition.message:
            return f"{condition.reason}: {condition.message}"
    return ""
