"""Stands in for the module pyslurm, of which no build fits the Slurm of our images.

It has the names, arguments, attributes and errors that `sunk.clients.slurm.native` uses of pyslurm
25.11, by its source, and does what they do over Slurm's commands: the Slurm behind it is real.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sunk.clients.slurm.cli import CliSlurm
from sunk.errors import NotFound, RemoteError
from sunk.model.slurm import JobId, NodeName, SlurmNode

_NUMBER = re.compile(r"\(Slurm error (\d+)\)")


class RPCError(Exception):
    """pyslurm.RPCError: words, and a Slurm error number or -1."""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(message)
        self.errno = errno


class StandIn:
    """What is asked of pyslurm, as the user of a client over the commands."""

    RPCError = RPCError

    def __init__(self, slurm: CliSlurm) -> None:
        self.slurm = slurm
        self.Nodes = SimpleNamespace(load=self._nodes)
        self.Node = type("Node", (_Node,), {"pyslurm": self, "load": staticmethod(self._node)})

    def Job(self, job_id: int) -> Any:  # noqa: N802 - pyslurm's name
        number = JobId(job_id)
        return SimpleNamespace(
            cancel=lambda: self.asked(lambda: self.slurm.cancel(number)),
            requeue=lambda: self.asked(lambda: self.slurm.requeue(number)),
        )

    def _nodes(self) -> dict[str, Any]:
        return {one.name: _attributes(one) for one in self.asked(self.slurm.nodes)}

    def _node(self, name: str) -> Any:
        return _attributes(self.asked(lambda: self.slurm.node(NodeName(name))))

    def asked(self, question: Callable[[], Any]) -> Any:
        """Ask, and say what went wrong as pyslurm says it."""
        try:
            return question()
        except NotFound as exc:
            raise RPCError(2018 if "node" in exc.message else 2017, exc.message) from exc
        except RemoteError as exc:
            number = _NUMBER.search(exc.message)
            raise RPCError(int(number[1]) if number else 1, exc.message) from exc


class _Node:
    """pyslurm.Node: what is to be changed, or whom a change is for."""

    pyslurm: StandIn

    def __init__(self, name: str = "", **changes: str) -> None:
        self._name = NodeName(name)
        self._changes = changes

    def modify(self, changes: _Node) -> None:
        slurm, name = self.pyslurm.slurm, self._name
        reason = changes._changes.get("reason", "")
        verbs: dict[str, Callable[[], None]] = {
            "DRAIN": lambda: slurm.drain(name, reason),
            "DOWN": lambda: slurm.set_down(name, reason),
            "RESUME": lambda: slurm.resume(name),
        }
        self.pyslurm.asked(verbs[changes._changes["state"]])

    def delete(self) -> None:
        self.pyslurm.asked(lambda: self.pyslurm.slurm.delete_node(self._name))


def _attributes(node: SlurmNode) -> Any:
    """Return a record with the attributes of a pyslurm.Node, None where it has None."""
    gres = dict(one.rsplit(":", 1) for one in node.gres.split(",") if one)
    return SimpleNamespace(
        name=node.name,
        state="+".join((node.state, *sorted(node.flags))),
        reason=node.reason or None,
        effective_cpus=node.cpus,
        real_memory=node.real_memory_mib,
        allocated_cpus=node.alloc_cpus,
        available_features=list(node.features),
        configured_gres={name: int(count) for name, count in gres.items()},
        partitions=list(node.partitions),
        address=node.address,
        boot_time=node.boot_time,
        slurmd_start_time=node.registered_time,
        comment=node.comment or None,
        extra=node.extra or None,
    )
