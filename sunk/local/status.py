"""The state of a local cluster's processes and nodes, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sunk.local import control_plane, daemons, helpers, network, node
from sunk.local.layout import Layout, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """State of one process or node, for people.

    Attributes:
        state: running, stopped, ready, not ready, cut, off; unknown without an answer from
            Kubernetes.
    """

    name: str
    state: str
    log: str


def parts_of(
    layout: Layout, nodes: Sequence[Node], ready: Mapping[str, bool | None] | None
) -> tuple[Part, ...]:
    """Return the state of every process and node.

    Args:
        layout: whose.
        nodes: those it has.
        ready: what Kubernetes says of nodes; nothing when it does not answer.
    """
    processes = (*control_plane.PROCESSES, *helpers.NAMES)
    states = {
        name: "running" if daemons.is_running(layout, name) else "stopped" for name in processes
    }
    for each in nodes:
        said = None if ready is None else ready.get(each.name) is True
        states[each.name] = _node_state(layout, each, ready=said)
    return tuple(
        Part(name=name, state=state, log=str(layout.log(name))) for name, state in states.items()
    )


def _node_state(layout: Layout, each: Node, *, ready: bool | None) -> str:
    if not node.is_on(layout, each):
        return "off"
    if network.cable_is_up(layout, each) is False:
        return "cut"
    if ready is None:
        return "unknown"
    return "ready" if ready else "not ready"
