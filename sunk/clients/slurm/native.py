"""Slurm over libslurm, by pyslurm: nodes without a process for each question.

What pyslurm of the releases seen does not give whole stays with Slurm's commands, which are
wherever libslurm is: a job's base state beside its flags, array records, and everything that
writes to slurmdbd. Written after the source of pyslurm 25.11; no build of it fits the Slurm 24.11
of our images, so the contract suite runs over it only where `pyslurm` can be imported.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sunk.clients.slurm import codes
from sunk.clients.slurm.cli import CliSlurm
from sunk.clients.slurm.names import checked_name, checked_reason
from sunk.clients.slurm.runners import Runner
from sunk.errors import ConfigError, NotFound, RemoteError, clip
from sunk.model.slurm import (
    JobId,
    Listing,
    NodeName,
    NodeState,
    PartitionName,
    SlurmNode,
)

SYSTEM = "libslurm"
_NO_NUMBER = -1
"""errno of a pyslurm error that carries words only."""
_UNKNOWN = "unknown"
_TRIED = "use Slurm over libslurm"
_OTHERS = "or choose another client: --slurm-client rest, --slurm-client cli"


class NativeSlurm(CliSlurm):
    """Implements `SlurmClient` and `SlurmOperator` as the user of this process.

    Args:
        pyslurm: the module, from `load`.
        runner: where Slurm's commands run: this machine.
        wall: seconds since the epoch; pyslurm does not tell when slurmctld made a list.
        options: of `CliSlurm`.
    """

    def __init__(
        self,
        pyslurm: Any,
        runner: Runner,
        *,
        wall: Callable[[], float] = time.time,
        **options: Any,
    ) -> None:
        super().__init__(runner, **options)
        self._pyslurm = pyslurm
        self._wall = wall
        self._lock = threading.Lock()
        self._seen: tuple[SlurmNode, ...] = ()
        self._changed_at = 0

    def nodes(self) -> tuple[SlurmNode, ...]:
        """Return every node, sorted by name."""
        with self._errors("list nodes"):
            found = self._pyslurm.Nodes.load()
            nodes = [_node(one) for one in found.values()]
        return tuple(sorted(nodes, key=lambda one: one.name))

    def nodes_since(self, as_of: int) -> Listing[SlurmNode] | None:
        """Return every node if any changed at or after `as_of`, else None.

        pyslurm cannot ask for changes and tells no time of the list, so lists are compared here.
        """
        asked = int(self._wall())
        items = self.nodes()
        with self._lock:
            if items != self._seen:
                self._seen, self._changed_at = items, asked
            unchanged = as_of > self._changed_at
        return None if unchanged else Listing(items=items, as_of=asked)

    def node(self, name: NodeName) -> SlurmNode:
        """Return one node."""
        with self._errors(f"read node {checked_name(name, 'node')}"):
            return _node(self._pyslurm.Node.load(str(name)))

    def delete_node(self, name: NodeName) -> None:
        """Delete a dynamic node's record."""
        with self._errors(f"delete node {checked_name(name, 'node')}"):
            self._pyslurm.Node(str(name)).delete()

    def cancel(self, job_id: JobId) -> None:
        """End a job."""
        with self._errors(f"cancel job {job_id}", fine=(codes.ALREADY_DONE,)):
            self._pyslurm.Job(int(job_id)).cancel()

    def requeue(self, job_id: JobId) -> None:
        """Put a running or ended job back into the queue."""
        with self._errors(f"requeue job {job_id}"):
            self._pyslurm.Job(int(job_id)).requeue()

    def _update_node(
        self, name: NodeName, state: str, what: str, reason: str | None = None
    ) -> None:
        changes = {"state": state}
        if reason is not None:
            changes["reason"] = checked_reason(reason, what)
        node = self._pyslurm.Node
        with self._errors(what):
            node(checked_name(name, "node")).modify(node(**changes))

    @contextmanager
    def _errors(self, what: str, fine: tuple[int, ...] = ()) -> Iterator[None]:
        """Turn pyslurm's errors into ours."""
        try:
            yield
        except self._pyslurm.RPCError as exc:
            if exc.errno in fine:
                return
            raise _refusal(int(exc.errno), str(exc), what) from exc


def load(slurm_version: Callable[[], str]) -> Any:
    """Import pyslurm and return it, if it was made for this machine's Slurm.

    Args:
        slurm_version: returns what ``scontrol --version`` prints: ``slurm 24.11.5``.

    Raises:
        ConfigError: it is not installed, or was made for another release; names both versions.
    """
    theirs = slurm_version().strip().removeprefix("slurm").strip() or _UNKNOWN
    fitting = (
        "run it where Slurm's commands and libslurm are"
        if theirs == _UNKNOWN
        else f"pip install 'pyslurm=={release(theirs)}.*'"
    )
    try:
        ours = importlib.metadata.version("pyslurm")
    except importlib.metadata.PackageNotFoundError as exc:
        raise ConfigError(
            f"{_TRIED}: pyslurm is not installed, and this Slurm is {theirs}",
            hint=f"{fitting}, {_OTHERS}",
        ) from exc
    if release(ours) != release(theirs):
        raise ConfigError(
            f"{_TRIED}: pyslurm {ours} is for Slurm {release(ours)}, and this Slurm is {theirs}",
            hint=f"{fitting}, {_OTHERS}",
        )
    try:
        return importlib.import_module("pyslurm")
    except ImportError as exc:
        raise ConfigError(
            f"{_TRIED}: pyslurm {ours} does not load beside Slurm {theirs}: {clip(str(exc))}",
            hint=f"build it on this machine: pip install --no-binary pyslurm pyslurm, {_OTHERS}",
        ) from exc


def release(version: str) -> str:
    """Return ``X.Y`` of a version; releases of libslurm differ from one X.Y to the next."""
    return ".".join(version.split(".")[:2])


def _refusal(number: int, said: str, what: str) -> RemoteError:
    if number == _NO_NUMBER:
        if said.endswith("does not exist"):
            return NotFound(f"{what}: there is none of that name", system=SYSTEM)
        return codes.error_class(number)(f"{what}: {clip(said)}", system=SYSTEM)
    message = f"{what}: {clip(said)} (Slurm error {number})"
    return codes.error_class(number)(message, system=SYSTEM)


def _node(one: Any) -> SlurmNode:
    """Return a pyslurm.Node as a record; its state is text such as ``IDLE+DRAIN+DYNAMIC_NORM``."""
    base, *flags = str(one.state).split("+")
    known = base in NodeState.__members__
    return SlurmNode(
        name=NodeName(one.name),
        state=NodeState(base) if known else NodeState.UNKNOWN,
        flags=frozenset(flags if known else (base, *flags)),
        reason=one.reason or "",
        cpus=one.effective_cpus,
        real_memory_mib=one.real_memory or 0,
        alloc_cpus=one.allocated_cpus,
        features=tuple(sorted(one.available_features or ())),
        gres=_gres(one.configured_gres or {}),
        partitions=tuple(sorted(PartitionName(name) for name in one.partitions or ())),
        address=one.address or "",
        boot_time=one.boot_time or None,
        registered_time=one.slurmd_start_time or None,
        comment=one.comment or "",
        extra=one.extra or "",
    )


def _gres(counts: Mapping[str, int]) -> str:
    """Return generic resources as Slurm writes them: ``gpu:h200:8``."""
    return ",".join(f"{name}:{count}" for name, count in counts.items())
