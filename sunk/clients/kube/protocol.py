"""What anyone may ask of Kubernetes: plain verbs; none both decides and writes."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sunk.clients.shells import Shell
from sunk.model.kube import Kind, KubeNode, KubeObject, Pod
from sunk.wellknown import FIELD_MANAGER


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An HTTP answer, undecoded; any status."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One change that a watch reported.

    Attributes:
        type: ADDED, MODIFIED, DELETED or BOOKMARK.
    """

    type: str
    object: KubeObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """The end of a program that ran in a container."""

    status: int
    stdout: str
    stderr: str


class Kube(Protocol):
    """A Kubernetes API server.

    Every method raises the errors of `sunk.errors.RemoteError` with system ``kube-apiserver``:
    Unreachable, Unauthorized, NotFound, Conflict, Rejected, UnexpectedReply.
    """

    def close(self) -> None:
        """Close the kept connections; the client may be used again after."""

    def version(self) -> str:
        """Return the server's version, for example ``v1.36.3``."""

    def ready(self) -> bool:
        """Return whether the server says it is ready; False also when it does not answer."""

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> KubeObject:
        """Return one object."""

    def list(
        self, kind: Kind, namespace: str | None = None, selector: str = ""
    ) -> tuple[KubeObject, ...]:
        """Return the objects of a kind, sorted by namespace and name."""

    def pods(
        self, namespace: str, selector: str = "", *, at_least: str | None = None
    ) -> tuple[Pod, ...]:
        """Return Pods, typed, sorted by name: the hot path.

        Args:
            namespace: where.
            selector: labels that they have.
            at_least: resourceVersion of a Pod that the answer must include; it may come from the
                server's cache then. Without it, it is the newest state, for which the server asks
                etcd and waits some 50 ms whenever anything was written.
        """

    def nodes(self, *, at_least: str | None = None) -> tuple[KubeNode, ...]:
        """Return Nodes, typed, sorted by name; `at_least` as for `pods`."""

    def apply(self, thing: KubeObject, *, manager: str = FIELD_MANAGER) -> KubeObject:
        """Apply an object server-side as a field manager, taking over fields of others."""

    def apply_status(self, thing: KubeObject) -> KubeObject:
        """Apply the status of an existing object, as `apply` does the rest; NotFound without one.

        Conditions are merged by type: those of others stay.
        """

    def create(self, thing: KubeObject) -> KubeObject:
        """Create an object; Conflict when it exists."""

    def merge(self, kind: Kind, name: str, patch: Any, namespace: str | None = None) -> KubeObject:
        """Merge-patch one object (RFC 7386).

        Conflict when the patch has a ``metadata.resourceVersion`` that is not the object's,
        Rejected when it has another ``metadata.uid``.
        """

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete one object; NotFound when it is not there, Conflict when it is not that `uid`."""

    def version_of(self, kind: Kind, namespace: str | None = None) -> str:
        """Return the resourceVersion of a collection as it is now: where a watch can begin."""

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str | None = None,
        within_seconds: int = 30,
    ) -> Iterator[WatchEvent]:
        """Yield changes until the server ends the watch."""

    def logs(
        self, pod: str, namespace: str, *, container: str | None = None, lines: int = 200
    ) -> str:
        """Return the last lines of a container's log."""

    def execute(
        self,
        pod: str,
        namespace: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        within_seconds: float = 30.0,
    ) -> Executed:
        """Run a program in a container to its end."""

    def shell(
        self,
        pod: str,
        namespace: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        within_seconds: float = 30.0,
    ) -> Shell:
        """Start a shell in a container that is talked to until it is closed."""

    def forward(self, pod: str, namespace: str, port: int) -> socket.socket:
        """Return a connected socket to a port of a Pod, through the API server."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        within_seconds: float = 30.0,
    ) -> RawAnswer:
        """Send a raw request with our credentials; any HTTP status is an answer."""
