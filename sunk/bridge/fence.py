"""Clients that change nothing unless they may: what is not known to only read is asked for first.

Leadership can be lost in the middle of a round. A fence stands in front of every single write, so
that a round which began while we led ends without doing anything more. A write that is on its way
when leadership ends is not held back; it has the seconds between giving up and the lease's end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sunk.clients.kube.protocol import Kube
from sunk.clients.slurm.protocol import SlurmClient
from sunk.errors import Conflict

KUBE_READS = frozenset(
    {"close", "get", "list", "logs", "nodes", "pods", "ready", "version", "version_of", "watch"}
)
SLURM_READS = frozenset(
    {
        *("accounts", "associations", "history", "job", "jobs", "jobs_since", "node", "nodes"),
        *("nodes_since", "partitions", "ping", "user", "users"),
    }
)
"""Verbs that change nothing. Any other is fenced, also one that the protocol gets tomorrow."""


class NotLeading(Conflict):
    """Nothing was sent: another bridge leads, or may."""

    def __init__(self, verb: str) -> None:
        super().__init__(f"{verb}: this bridge leads no more", system="lease")


class _Fenced:
    def __init__(self, inner: object, reads: frozenset[str], may: Callable[[], bool]) -> None:
        self._inner = inner
        self._reads = reads
        self._may = may

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._inner, name)
        if name in self._reads:
            return verb

        def fenced(*words: Any, **options: Any) -> Any:
            if not self._may():
                raise NotLeading(name)
            return verb(*words, **options)

        return fenced


def fenced_kube(kube: Kube, may: Callable[[], bool]) -> Kube:
    """Return a client whose writes raise `NotLeading` when `may` says no."""
    return cast(Kube, _Fenced(kube, KUBE_READS, may))


def fenced_slurm(slurm: SlurmClient, may: Callable[[], bool]) -> SlurmClient:
    """Return a client whose writes raise `NotLeading` when `may` says no."""
    return cast(SlurmClient, _Fenced(slurm, SLURM_READS, may))
