"""Read and write the file that describes a cluster: YAML documents to `SlurmCluster` and back.

One document of kind SlurmCluster and any number of kind NodeSet, apiVersion sunk.dev/v1alpha1,
keys in camelCase, the same form as the custom resources. Reading is strict: nothing is guessed,
and the error names file, document, key and what is allowed there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sunk.errors import InputError, clip
from sunk.model.cluster import SlurmCluster, with_user_key
from sunk.render.checks import Problem, problems
from sunk.render.faults import allowed_instead, spell
from sunk.render.plain_yaml import dump_documents, read_documents
from sunk.render.text import has_control
from sunk.wellknown import API_GROUP

__all__ = ["dump_description", "load_description", "read_description", "with_user_key"]

API_VERSION = f"{API_GROUP}/v1alpha1"
_SIZE_LIMIT_BYTES = 1_000_000
_ADAPTER = TypeAdapter(SlurmCluster)
_HINT = "deploy/local/cluster.yaml is a working example"


def load_description(path: Path) -> SlurmCluster:
    """Return the cluster that a file describes.

    Raises:
        InputError: the file cannot be read or describes no valid cluster.
    """
    try:
        size = path.stat().st_size
        if size > _SIZE_LIMIT_BYTES:
            raise InputError(f"read {path}: {size} bytes, more than {_SIZE_LIMIT_BYTES}")
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise InputError(f"read {path}: {exc.strerror}", hint="give the path of a file") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"read {path}: not UTF-8 at byte {exc.start}") from exc
    return read_description(text, source=str(path))


def read_description(text: str, *, source: str) -> SlurmCluster:
    """Return the cluster that a text describes.

    Args:
        text: YAML documents.
        source: name of the file, for messages.

    Raises:
        InputError: the text describes no valid cluster.
    """
    documents = _documents(text, source)
    clusters = [one for one in documents if one.kind == "SlurmCluster"]
    if len(clusters) != 1:
        raise InputError(
            f"read {source}: {len(clusters)} documents of kind SlurmCluster, not one", hint=_HINT
        )
    head = clusters[0]
    sets = [one for one in documents if one.kind == "NodeSet"]
    if "nodeSets" in head.spec:
        raise _error(head, ("spec", "nodeSets"), head.spec["nodeSets"], "documents of kind NodeSet")
    places = _Places(head=head, sets=sets)
    raw = {**head.spec, **head.metadata, "nodeSets": [_node_set(one, head) for one in sets]}
    try:
        cluster = _ADAPTER.validate_json(json.dumps(raw))
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        raise places.error(tuple(first["loc"]), first["input"], allowed_instead(first)) from exc
    for problem in problems(cluster):
        raise places.problem(problem)
    return cluster


def dump_description(cluster: SlurmCluster) -> str:
    """Return the description of a cluster as YAML; reading it gives the same cluster."""
    raw: dict[str, Any] = _ADAPTER.dump_python(
        cluster, mode="json", by_alias=True, exclude_defaults=True
    )
    namespace = cluster.namespace
    sets = raw.pop("nodeSets", [])
    raw.pop("name")
    raw.pop("namespace", None)
    documents = [_document("SlurmCluster", cluster.name, namespace, raw)]
    for item in sets:
        name = item.pop("name")
        documents.append(_document("NodeSet", name, namespace, item))
    return dump_documents(documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """One document: where it stands and what it holds."""

    source: str
    number: int
    kind: str
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Knows which document and key each part of the joined cluster came from."""

    head: _Document
    sets: Sequence[_Document]

    def error(self, path: tuple[str | int, ...], value: object, allowed: str) -> InputError:
        document, rest = self.head, path
        if path and path[0] == "nodeSets" and len(path) > 1:
            document, rest = self.sets[int(path[1])], path[2:]
        inside = rest[:1] in (("name",), ("namespace",))
        return _error(document, ("metadata" if inside else "spec", *rest), value, allowed)

    def problem(self, problem: Problem) -> InputError:
        return self.error(problem.path, problem.value, problem.allowed)


def _documents(text: str, source: str) -> list[_Document]:
    loaded = read_documents(text, source, hint=_HINT)
    return [
        _read_document(source, number, item)
        for number, item in enumerate(loaded, start=1)
        if item is not None
    ]


def _read_document(source: str, number: int, item: object) -> _Document:
    empty = _Document(source=source, number=number, kind="", metadata={}, spec={})
    if not isinstance(item, dict):
        raise _error(empty, (), item, "apiVersion, kind, metadata and spec")
    _refuse_control_characters(empty, (), item)
    wanted = {"apiVersion": (API_VERSION,), "kind": ("SlurmCluster", "NodeSet")}
    for key, values in wanted.items():
        if item.get(key) not in values:
            raise _error(empty, (key,), item.get(key), " or ".join(values))
    metadata, spec = item.get("metadata"), item.get("spec")
    spec = {} if spec is None else spec
    known = metadata if isinstance(metadata, dict) else {}
    named = _Document(source=source, number=number, kind=item["kind"], metadata=known, spec={})
    _only(named, (), item, {"apiVersion", "kind", "metadata", "spec"})
    for key, value in (("metadata", metadata), ("spec", spec)):
        if not isinstance(value, dict):
            raise _error(named, (key,), value, "a mapping of keys")
    assert isinstance(metadata, dict)
    _only(named, ("metadata",), metadata, {"name", "namespace"})
    if "name" not in metadata:
        raise _error(named, ("metadata", "name"), None, "the name; it is missing")
    for key in ("name", "namespace"):
        if key in spec:
            raise _error(named, ("spec", key), spec[key], f"metadata.{key}")
    return _Document(source=source, number=number, kind=item["kind"], metadata=metadata, spec=spec)


def _node_set(document: _Document, head: _Document) -> dict[str, Any]:
    default = "slurm"
    wanted = head.metadata.get("namespace", default)
    namespace = document.metadata.get("namespace", wanted)
    if namespace != wanted:
        raise _error(
            document, ("metadata", "namespace"), namespace, f"the cluster's namespace, {wanted}"
        )
    return {**document.spec, "name": document.metadata["name"]}


def _only(
    document: _Document, path: tuple[str, ...], item: Mapping[str, Any], allowed: set[str]
) -> None:
    for key in sorted(set(item) - allowed):
        raise _error(document, (*path, key), item[key], ", ".join(sorted(allowed)))


def _refuse_control_characters(
    document: _Document, path: tuple[str | int, ...], value: object
) -> None:
    # Before anything else: such text must not even reach a message unclipped.
    # The one text of several lines is checked line by line, in `sunk.render.checks`.
    if isinstance(value, str) and path != ("spec", "topology") and has_control(value):
        raise _error(document, path, value, "one line without control characters")
    if isinstance(value, dict):
        for key, item in value.items():
            if has_control(key):
                raise _error(document, path, key, "keys without control characters")
            _refuse_control_characters(document, (*path, key), item)
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_control_characters(document, (*path, index), item)


def _error(
    document: _Document, path: tuple[str | int, ...], value: object, allowed: str
) -> InputError:
    name = document.metadata.get("name")
    what = f" ({document.kind} {clip(str(name), 40)})" if isinstance(name, str) else ""
    key = spell(path)
    shown = "nothing" if value is None else clip(repr(value), 60)
    return InputError(
        f"read {document.source}, document {document.number}{what}, "
        f"{key or 'the whole'}: {shown} is not allowed; allowed: {allowed}",
        hint=_HINT,
    )


def _document(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
