"""A Kubernetes API that lives in memory and behaves: for tests, dry runs and simulations.

Keeps what the real one keeps about objects (uid, resourceVersion, generation, field ownership of
our own applies, namespaces that must exist). It runs nothing: no controllers, no kubelets; whoever
uses it plays their part with `set_status`.
"""

from __future__ import annotations

import copy
import json
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sunk.clients.kube import wire
from sunk.clients.kube.protocol import Executed, RawAnswer, WatchEvent
from sunk.clients.shells import Shell
from sunk.errors import Conflict, NotFound, Rejected
from sunk.model.kube import (
    NAMESPACE,
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
from sunk.wellknown import FIELD_MANAGER

SYSTEM = "kube-apiserver"
_Key = tuple[str, str | None, str]


class MemoryKube:
    """The API server's side of `sunk.clients.kube.protocol.Kube`, in memory."""

    def __init__(self) -> None:
        self._objects: dict[_Key, dict[str, Any]] = {}
        self._applied: dict[tuple[_Key, str], Any] = {}
        self._applied_status: dict[_Key, Any] = {}
        self._log: list[tuple[int, Kind, WatchEvent]] = []
        self._logs: dict[tuple[str, str], str] = {}
        self._version = 0
        for name in ("default", "kube-system"):
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def version(self) -> str:
        """Return a version."""
        return "v1.36.0"

    def ready(self) -> bool:
        """Return True."""
        return True

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> KubeObject:
        """Return one object."""
        return copy.deepcopy(self._found(kind, name, namespace, "read"))

    def list(
        self, kind: Kind, namespace: str | None = None, selector: str = ""
    ) -> tuple[KubeObject, ...]:
        """Return the objects of a kind, sorted by namespace and name."""
        return tuple(copy.deepcopy(one) for one in self._chosen(kind, namespace, selector))

    def _chosen(
        self, kind: Kind, namespace: str | None, selector: str = ""
    ) -> tuple[dict[str, Any], ...]:
        """Return the objects themselves, which nobody may change."""
        wanted = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
        found = [
            thing
            for (plural, place, _), thing in self._objects.items()
            if plural == kind.plural
            and namespace in {None, place}
            and wanted.items() <= (thing["metadata"].get("labels") or {}).items()
        ]
        return tuple(sorted(found, key=lambda one: (namespace_of(one) or "", name_of(one))))

    def pods(
        self,
        namespace: str,
        selector: str = "",
        *,
        at_least: str | None = None,  # noqa: ARG002 - there is no cache
    ) -> tuple[Pod, ...]:
        """Return Pods, typed."""
        raw = self._chosen(POD, namespace, selector)
        return tuple(wire.pod(_typed({"spec": {}, "status": {}, **r}, wire.WirePod)) for r in raw)

    def nodes(
        self,
        *,
        at_least: str | None = None,  # noqa: ARG002 - there is no cache
    ) -> tuple[KubeNode, ...]:
        """Return Nodes, typed."""
        raw = self._chosen(NODE, None)
        return tuple(wire.node(_typed({"spec": {}, "status": {}, **r}, wire.WireNode)) for r in raw)

    def apply(self, thing: KubeObject, *, manager: str = FIELD_MANAGER) -> KubeObject:
        """Apply an object; fields that its manager set before and now lacks are removed."""
        key = _key(kind_of(thing), name_of(thing), namespace_of(thing))
        wanted = json.loads(json.dumps(thing))
        self._check_version(key, wanted)
        if key not in self._objects:
            created = self.create(thing)
            self._applied[key, manager] = wanted
            return created
        merged = _merge_applied(
            copy.deepcopy(self._objects[key]), wanted, self._applied.get((key, manager), {})
        )
        self._applied[key, manager] = wanted
        return self._store(kind_of(thing), key, merged)

    def apply_status(self, thing: KubeObject) -> KubeObject:
        """Apply the status of an existing object; conditions are merged by type."""
        kind, name, namespace = kind_of(thing), name_of(thing), namespace_of(thing)
        current = copy.deepcopy(self._found(kind, name, namespace, "apply status of"))
        wanted = json.loads(json.dumps(thing["status"]))
        key = _key(kind, name, namespace)
        before = self._applied_status.get(key, {})
        self._applied_status[key] = wanted
        status = current.get("status", {})
        gone = {one["type"] for one in before.get("conditions", ())}
        kept = [one for one in status.get("conditions", ()) if one["type"] not in gone]
        merged = _merge_applied(status, wanted, before)
        if "conditions" in wanted:
            merged["conditions"] = [*kept, *wanted["conditions"]]
        return self._store(kind, key, {**current, "status": merged})

    def create(self, thing: KubeObject) -> KubeObject:
        """Create an object."""
        kind, namespace = kind_of(thing), namespace_of(thing)
        key = _key(kind, name_of(thing), namespace)
        if key in self._objects:
            raise Conflict(f"create {kind.name} {name_of(thing)}: it exists", system=SYSTEM)
        if kind.namespaced and _key(NAMESPACE, namespace or "", None) not in self._objects:
            raise NotFound(
                f"create {kind.name} {name_of(thing)}: no namespace {namespace}", system=SYSTEM
            )
        made = json.loads(json.dumps(thing))
        made["metadata"] |= {"uid": str(uuid.uuid4()), "generation": 0}
        return self._store(kind, key, made, event="ADDED")

    def merge(self, kind: Kind, name: str, patch: Any, namespace: str | None = None) -> KubeObject:
        """Merge-patch one object (RFC 7386)."""
        current = copy.deepcopy(self._found(kind, name, namespace, "change"))
        self._check_version(_key(kind, name, namespace), patch)
        merged = _merge_patch(current, json.loads(json.dumps(patch)))
        stored = self._store(kind, _key(kind, name, namespace), merged)
        meta = merged["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self._remove(kind, _key(kind, name, namespace))
        return stored

    def set_status(
        self, kind: Kind, name: str, status: Mapping[str, Any], namespace: str | None = None
    ) -> None:
        """Play a controller or kubelet: set an object's status."""
        current = copy.deepcopy(self._found(kind, name, namespace, "change status of"))
        self._store(kind, _key(kind, name, namespace), {**current, "status": dict(status)})

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,  # noqa: ARG002 - nothing takes time here
        uid: str | None = None,
    ) -> None:
        """Delete one object; a namespace takes everything in it along.

        One with finalizers stays, marked, until the last of them is taken off.
        """
        gone = self._found(kind, name, namespace, "delete")
        if uid is not None and gone["metadata"]["uid"] != uid:
            raise Conflict(f"delete {kind.name} {name}: it has another UID", system=SYSTEM)
        if kind == NAMESPACE:
            for key in [key for key in self._objects if key[1] == name]:
                self._forget_applied(key)
                del self._objects[key]
        key = _key(kind, name, namespace)
        if gone["metadata"].get("finalizers"):
            marked = copy.deepcopy(gone)
            marked["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self._store(kind, key, marked)
            return
        self._remove(kind, key)

    def version_of(self, kind: Kind, namespace: str | None = None) -> str:  # noqa: ARG002
        """Return the version of everything."""
        return str(self._version)

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        since: str | None = None,
        within_seconds: int = 30,  # noqa: ARG002 - ends when all is told
    ) -> Iterator[WatchEvent]:
        """Yield what happened after `since`, then end."""
        for version, logged, event in list(self._log):
            here = namespace is None or namespace_of(event.object) == namespace
            if logged == kind and here and version > int(since or 0):
                yield copy.deepcopy(event)

    def logs(
        self, pod: str, namespace: str, *, container: str | None = None, lines: int = 200
    ) -> str:
        """Return what `set_log` said; refuse without: nothing runs here."""
        if (namespace, pod) in self._logs:
            return self._logs[namespace, pod]
        raise _nothing_runs(f"read log of Pod {namespace}/{pod}", container, lines)

    def set_log(self, pod: str, namespace: str, text: str) -> None:
        """Play a container: set what its log says."""
        self._logs[namespace, pod] = text

    def execute(
        self,
        pod: str,
        namespace: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        within_seconds: float = 30.0,
    ) -> Executed:
        """Refuse: nothing runs here."""
        raise _nothing_runs(f"run {argv[0]} in Pod {namespace}/{pod}", container, within_seconds)

    def shell(
        self,
        pod: str,
        namespace: str,
        argv: Sequence[str],
        *,
        container: str | None = None,
        within_seconds: float = 30.0,
    ) -> Shell:
        """Refuse: nothing runs here."""
        raise _nothing_runs(f"run {argv[0]} in Pod {namespace}/{pod}", container, within_seconds)

    def forward(self, pod: str, namespace: str, port: int) -> socket.socket:
        """Refuse: nothing runs here."""
        raise _nothing_runs(f"forward port {port} of Pod {namespace}/{pod}")

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
        """Refuse: there is no wire here."""
        raise _nothing_runs(f"{method} {path}", query, headers, body, within_seconds)

    def _remove(self, kind: Kind, key: _Key) -> None:
        gone = self._objects.pop(key)
        self._forget_applied(key)
        self._version += 1
        self._log.append((self._version, kind, WatchEvent(type="DELETED", object=gone)))

    def _forget_applied(self, key: _Key) -> None:
        self._applied = {one: what for one, what in self._applied.items() if one[0] != key}

    def _found(self, kind: Kind, name: str, namespace: str | None, verb: str) -> dict[str, Any]:
        key = _key(kind, name, namespace)
        if key not in self._objects:
            place = f"{namespace}/{name}" if namespace else name
            raise NotFound(f"{verb} {kind.name} {place}: not found", system=SYSTEM)
        return self._objects[key]

    def _check_version(self, key: _Key, wanted: Mapping[str, Any]) -> None:
        """Refuse a write that names another version or UID than the object has."""
        named = (wanted.get("metadata") or {}).get("resourceVersion")
        current = self._objects.get(key)
        if named is not None and (
            current is None or current["metadata"]["resourceVersion"] != named
        ):
            raise Conflict(f"change {key[0]} {key[2]}: it was changed meanwhile", system=SYSTEM)
        uid = (wanted.get("metadata") or {}).get("uid")
        if uid is not None and current is not None and current["metadata"]["uid"] != uid:
            raise Rejected(f"change {key[0]} {key[2]}: it has another UID", system=SYSTEM)

    def _store(
        self, kind: Kind, key: _Key, thing: dict[str, Any], event: str = "MODIFIED"
    ) -> KubeObject:
        before = self._objects.get(key)
        if before is not None and _without_bookkeeping(before) == _without_bookkeeping(thing):
            return copy.deepcopy(before)
        if before is None or before.get("spec") != thing.get("spec"):
            thing["metadata"]["generation"] = thing["metadata"].get("generation", 0) + 1
        self._version += 1
        thing["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = thing
        seen = WatchEvent(type=event, object=copy.deepcopy(thing))
        self._log.append((self._version, kind, seen))
        return copy.deepcopy(thing)


def _key(kind: Kind, name: str, namespace: str | None) -> _Key:
    return (kind.plural, namespace if kind.namespaced else None, name)


def _typed(raw: Mapping[str, Any], form: Any) -> Any:
    return msgspec.convert(dict(raw), form)


def _without_bookkeeping(thing: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in thing["metadata"].items() if k != "resourceVersion"}
    return {**thing, "metadata": kept}


def _merge_applied(current: Any, wanted: Any, before: Any) -> Any:
    """Return `current` with `wanted` on top, less what only `before` had set; lists are atomic."""
    if not (isinstance(current, dict) and isinstance(wanted, dict)):
        return wanted
    before = before if isinstance(before, dict) else {}
    merged = {key: value for key, value in current.items() if key in wanted or key not in before}
    for key, value in wanted.items():
        merged[key] = (
            _merge_applied(merged[key], value, before.get(key)) if key in merged else value
        )
    return merged


def _merge_patch(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_patch(merged.get(key), value)
    return merged


def _nothing_runs(what: str, *_unused: object) -> Rejected:
    return Rejected(f"{what}: nothing runs in the in-memory cluster", system=SYSTEM)
