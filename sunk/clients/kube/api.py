"""Kubernetes over the official client: its configuration and authentication, our raw bytes.

Answers are decoded with msgspec straight from bytes; the official models are not used (they cost
three times as much on large lists). One instance belongs to one cluster and one identity in it,
and may be used by several threads.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from kubernetes import client

from sunk import wellknown
from sunk.clients.kube import channels, wire
from sunk.clients.kube.config import load, load_in_cluster, tls_context
from sunk.clients.kube.protocol import Executed, RawAnswer, WatchEvent
from sunk.clients.kube.refusals import SYSTEM, refusal
from sunk.clients.shells import Shell
from sunk.errors import (
    RemoteError,
    UnexpectedReply,
    Unreachable,
    clip,
)
from sunk.model.kube import (
    NODE,
    POD,
    Kind,
    KubeNode,
    KubeObject,
    Pod,
    kind_of,
    name_of,
    namespace_of,
)
from sunk.settings import InCluster

_T = TypeVar("_T")


class KubeApi:
    """The API server that a kubeconfig leads to, or that of the cluster that we run in.

    Args:
        source: a kubeconfig file, or what a Pod is told; the environment is never consulted.
        context: name of a context in the file; its current one when absent.
        within_seconds: time limit of each request, but for watches and programs that are run.

    Raises:
        ConfigError: the file cannot be read or is not a kubeconfig, or the Pod has no token.
    """

    def __init__(
        self, source: Path | InCluster, context: str | None = None, *, within_seconds: float = 30.0
    ) -> None:
        if isinstance(source, InCluster):
            self.context, self._configuration = "in-cluster", load_in_cluster(source)
        else:
            self.context, self._configuration = load(source, context)
        self._within_seconds = within_seconds
        self._configuration.retries = False
        self._api = client.ApiClient(self._configuration)
        if self.server.startswith("https:"):
            options = self._api.rest_client.pool_manager.connection_pool_kw
            options["ssl_context"] = tls_context(self._configuration)

    def close(self) -> None:
        """Close the kept connections."""
        self._api.rest_client.pool_manager.clear()

    @property
    def server(self) -> str:
        """The server's address."""
        return str(self._configuration.host)

    def version(self) -> str:
        """Return the server's version."""
        return str(self._call("GET", "/version", "read the version")["gitVersion"])

    def ready(self) -> bool:
        """Return whether the server says it is ready."""
        try:
            return self.request("GET", "/readyz", within_seconds=5).status == 200
        except RemoteError:
            return False

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> KubeObject:
        """Return one object."""
        path = kind.path(namespace, name)
        return self._call("GET", path, f"read {kind.name} {_full(name, namespace)}")

    def list(
        self, kind: Kind, namespace: str | None = None, selector: str = ""
    ) -> tuple[KubeObject, ...]:
        """Return the objects of a kind, sorted."""
        answer = self._call(
            "GET",
            kind.path(namespace),
            f"list {kind.plural} in {namespace or 'the cluster'}",
            query=_selector(selector),
        )
        items = [
            {"apiVersion": kind.api_version, "kind": kind.name, **item}
            for item in answer.get("items") or []
        ]
        return tuple(sorted(items, key=lambda item: (namespace_of(item) or "", name_of(item))))

    def pods(
        self, namespace: str, selector: str = "", *, at_least: str | None = None
    ) -> tuple[Pod, ...]:
        """Return Pods, typed."""
        what = f"list pods in {namespace}"
        answer = self._read(POD.path(namespace), what, _selector(selector), at_least=at_least)
        found = _decode(answer, wire.PodList, what).items or []
        return tuple(sorted((wire.pod(item) for item in found), key=lambda item: item.name))

    def nodes(self, *, at_least: str | None = None) -> tuple[KubeNode, ...]:
        """Return Nodes, typed."""
        answer = self._read(NODE.path(), "list nodes", at_least=at_least)
        found = _decode(answer, wire.NodeList, "list nodes").items or []
        return tuple(sorted((wire.node(item) for item in found), key=lambda item: item.name))

    def apply(self, thing: KubeObject, *, manager: str = wellknown.FIELD_MANAGER) -> KubeObject:
        """Apply an object server-side."""
        return self._call(
            "PATCH",
            kind_of(thing).path(namespace_of(thing), name_of(thing)),
            f"apply {_title(thing)}",
            query=(("fieldManager", manager), ("force", "true")),
            headers={"Content-Type": "application/apply-patch+yaml"},
            body=json.dumps(thing).encode(),
        )

    def apply_status(self, thing: KubeObject) -> KubeObject:
        """Apply the status of an existing object."""
        place = kind_of(thing).path(namespace_of(thing), name_of(thing))
        return self._call(
            "PATCH",
            f"{place}/status",
            f"apply status of {_title(thing)}",
            query=(("fieldManager", wellknown.FIELD_MANAGER), ("force", "true")),
            headers={"Content-Type": "application/apply-patch+yaml"},
            body=json.dumps(thing).encode(),
        )

    def create(self, thing: KubeObject) -> KubeObject:
        """Create an object."""
        return self._call(
            "POST",
            kind_of(thing).path(namespace_of(thing)),
            f"create {_title(thing)}",
            query=(("fieldManager", wellknown.FIELD_MANAGER),),
            body=json.dumps(thing).encode(),
        )

    def merge(self, kind: Kind, name: str, patch: Any, namespace: str | None = None) -> KubeObject:
        """Merge-patch one object."""
        return self._call(
            "PATCH",
            kind.path(namespace, name),
            f"change {kind.name} {_full(name, namespace)}",
            headers={"Content-Type": "application/merge-patch+json"},
            body=json.dumps(patch).encode(),
        )

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
    ) -> None:
        """Delete one object."""
        options: dict[str, Any] = {}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        self._call(
            "DELETE",
            kind.path(namespace, name),
            f"delete {kind.name} {_full(name, namespace)}",
            body=json.dumps({"propagationPolicy": "Background", **options}).encode(),
        )

    def version_of(self, kind: Kind, namespace: str | None = None) -> str:
        """Return the resourceVersion of a collection as it is now."""
        what = f"list {kind.plural}"
        answer = self._read(kind.path(namespace), what, [("limit", "1")])
        return _decode(answer, wire.AnyList, what).metadata.resource_version

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str | None = None,
        within_seconds: int = 30,
    ) -> Iterator[WatchEvent]:
        """Yield changes until the server ends the watch."""
        what = f"watch {kind.plural}"
        query = [("watch", "true"), ("timeoutSeconds", str(within_seconds))]
        query += [("allowWatchBookmarks", "true")]
        query += [("resourceVersion", since)] if since is not None else []
        answer = self._send(
            "GET", kind.path(namespace), tuple(query), {}, None, within_seconds + 10.0, what
        )
        if answer.status != 200:
            raise refusal(what, answer.status, answer.read())
        try:
            for line in _lines(answer):
                event = _decode(line, wire.Event, what)
                if event.type == "ERROR":
                    code = int(event.object.get("code", 500))
                    raise refusal(what, code, json.dumps(event.object).encode())
                yield WatchEvent(type=event.type, object=event.object)
        except urllib3.exceptions.HTTPError as exc:
            raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc
        finally:
            answer.release_conn()

    def logs(
        self, pod: str, namespace: str, *, container: str | None = None, lines: int = 200
    ) -> str:
        """Return the last lines of a container's log."""
        query = [("tailLines", str(lines))]
        query += [("container", container)] if container else []
        path = POD.path(namespace, pod) + "/log"
        return self._read(path, f"read log of Pod {namespace}/{pod}", query).decode(
            errors="replace"
        )

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
        place = channels.Place(pod=pod, namespace=namespace, container=container)
        return channels.execute(self._configuration, place, argv, within_seconds)

    def shell(
        self,
        pod: str,
        namespace: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        within_seconds: float = 30.0,
    ) -> Shell:
        """Start a shell in a container."""
        place = channels.Place(pod=pod, namespace=namespace, container=container)
        return channels.PodShell(self._configuration, place, argv, within_seconds)

    def forward(self, pod: str, namespace: str, port: int) -> socket.socket:
        """Return a connected socket to a port of a Pod."""
        place = channels.Place(pod=pod, namespace=namespace)
        return channels.forward(self._configuration, place, port)

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
        """Send a raw request with our credentials."""
        what = f"{method} {path.split('?', 1)[0]}"
        answer = self._send(method, path, query, headers or {}, body, within_seconds, what)
        try:
            content = answer.read()
        except urllib3.exceptions.HTTPError as exc:
            raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc
        return RawAnswer(status=answer.status, body=content, headers=dict(answer.headers))

    def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> dict[str, Any]:
        answer = self.request(
            method,
            path,
            query=query,
            headers=headers,
            body=body,
            within_seconds=self._within_seconds,
        )
        if answer.status >= 400:
            raise refusal(what, answer.status, answer.body)
        return _decode(answer.body, dict[str, Any], what)

    def _read(
        self,
        path: str,
        what: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        at_least: str | None = None,
    ) -> bytes:
        cached = [] if at_least is None else _not_older_than(at_least)
        answer = self.request(
            "GET", path, query=(*query, *cached), within_seconds=self._within_seconds
        )
        if cached and answer.status >= 400:
            # Its cache is behind, as one of several servers' may be: the newest state will do too.
            return self._read(path, what, query)
        if answer.status >= 400:
            raise refusal(what, answer.status, answer.body)
        return answer.body

    def _send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes | None,
        within_seconds: float,
        what: str,
    ) -> Any:
        sent = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        self._api.update_params_for_auth(sent, [], ["BearerToken"], path, method, body)
        url = self.server + path + ("?" + urlencode(list(query)) if query else "")
        try:
            return self._api.rest_client.pool_manager.request(
                method,
                url,
                body=body,
                headers=sent,
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=min(10.0, within_seconds), read=within_seconds),
            )
        except urllib3.exceptions.HTTPError as exc:
            cause = clip(str(exc.__cause__ or exc))
            raise Unreachable(
                f"{what} at {self.server}: {cause}",
                system=SYSTEM,
                hint="is the cluster up, and does the kubeconfig name the right server",
            ) from exc


def _decode(body: bytes, form: type[_T], what: str) -> _T:
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise UnexpectedReply(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(65536, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def _not_older_than(version: str) -> list[tuple[str, str]]:
    return [("resourceVersion", version), ("resourceVersionMatch", "NotOlderThan")]


def _selector(selector: str) -> tuple[tuple[str, str], ...]:
    return (("labelSelector", selector),) if selector else ()


def _full(name: str, namespace: str | None) -> str:
    return f"{namespace}/{name}" if namespace else name


def _title(thing: KubeObject) -> str:
    return f"{kind_of(thing).name} {_full(name_of(thing), namespace_of(thing))}"
