"""NicClusterPolicy objects of the network operator: whether what it installs is ready."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import kube_list
from sunk_fabric.parse.kube_list import Metadata
from sunk_fabric.parse.text import Content, Parsed

KIND = "NicClusterPolicy"


class AppliedState(msgspec.Struct, frozen=True, kw_only=True):
    """One part that the operator installs.

    Attributes:
        name: ``state-OFED``.
        state: ready, notReady, ignore, error.
    """

    name: str = ""
    state: str = ""


class PolicyStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is there.

    Attributes:
        state: of all parts together; empty before the first time.
        reason: in the operator's words.
        applied_states: the parts.
    """

    state: str = ""
    reason: str = ""
    applied_states: tuple[AppliedState, ...] = ()


class ClusterPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One object.

    Attributes:
        metadata: its name.
        status: what is there.
    """

    metadata: Metadata = Metadata()
    status: PolicyStatus = PolicyStatus()


def parse(content: Content) -> Parsed[tuple[ClusterPolicy, ...]]:
    """Return the policies."""
    return kube_list.decode(content, ClusterPolicy, KIND)
