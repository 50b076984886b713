"""Kubernetes Nodes: ``kubectl get nodes -o json``."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import kube_list
from sunk_fabric.parse.kube_list import Metadata
from sunk_fabric.parse.text import Content, Parsed


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a Node offers.

    Attributes:
        capacity: resource -> amount, as Kubernetes writes it.
        allocatable: the part that Pods can have.
    """

    capacity: dict[str, str] = {}
    allocatable: dict[str, str] = {}


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One object.

    Attributes:
        metadata: name and labels.
        status: what it offers.
    """

    metadata: Metadata = Metadata()
    status: NodeStatus = NodeStatus()


def parse(content: Content) -> Parsed[tuple[Node, ...]]:
    """Return the Nodes."""
    return kube_list.decode(content, Node, "Node")


def devices(amounts: dict[str, str], rail: str) -> dict[str, int]:
    """Return the device resources of a rail, by their whole name: ``nvidia.com/rail0`` -> 2."""
    return {
        name: int(amount)
        for name, amount in sorted(amounts.items())
        if name.rpartition("/")[2] == rail and amount.isascii() and amount.isdigit()
    }
