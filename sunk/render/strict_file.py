"""Files of ours with one document: YAML or JSON, strict, and errors that name the place.

The envelope is that of every file of ours: apiVersion, kind, metadata with the name, spec.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sunk.errors import InputError, clip
from sunk.render.faults import allowed_instead, spell
from sunk.render.plain_yaml import dump_documents, load_documents, read_documents
from sunk.render.problem import Problem
from sunk.render.text import has_control
from sunk.wellknown import API_GROUP

API_VERSION = f"{API_GROUP}/v1alpha1"
SIZE_LIMIT_BYTES = 64_000_000
NAME_ALLOWED = "letters, digits, dot, dash and underscore, 1 to 64 of them"

T = TypeVar("T")


def load_text(path: Path) -> str:
    """Return a file's text.

    Raises:
        InputError: it cannot be read, is too large or not UTF-8.
    """
    try:
        size = path.stat().st_size
        if size > SIZE_LIMIT_BYTES:
            raise InputError(f"read {path}: {size} bytes, more than {SIZE_LIMIT_BYTES}")
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise InputError(f"read {path}: {exc.strerror}", hint="give the path of a file") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"read {path}: not UTF-8 at byte {exc.start}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of file.

    Attributes:
        name: the value of its key ``kind``.
        hint: for every error about such a file.
    """

    name: str
    hint: str

    def read(self, text: str, spec: TypeAdapter[T], source: str) -> tuple[str, T]:
        """Return the name and the spec of the one document in a text.

        Raises:
            InputError: it is none of this kind; names the key and what may stand there.
        """
        document = self._document(text, source)
        for key, wanted in (("apiVersion", API_VERSION), ("kind", self.name)):
            if document.get(key) != wanted:
                raise self.fault(source, (key,), document.get(key), wanted)
        self._only(source, (), document, {"apiVersion", "kind", "metadata", "spec"})
        metadata = document.get("metadata")
        if not isinstance(metadata, dict):
            raise self.fault(source, ("metadata",), metadata, "a mapping with the name")
        self._only(source, ("metadata",), metadata, {"name"})
        name = metadata.get("name")
        if not isinstance(name, str) or not is_name(name):
            raise self.fault(source, ("metadata", "name"), name, NAME_ALLOWED)
        raw = document.get("spec")
        try:
            return name, spec.validate_json(json.dumps({} if raw is None else raw))
        except ValidationError as exc:
            raise self._wrong(source, exc) from exc

    def write(self, name: str, spec: Mapping[str, Any]) -> str:
        """Return a document as YAML; the same content gives the same bytes."""
        return dump_documents([self._envelope(name, spec)])

    def write_json(self, name: str, spec: Mapping[str, Any]) -> str:
        """Return a document as JSON; the same content gives the same bytes."""
        return json.dumps(self._envelope(name, spec), indent=2) + "\n"

    def fault(
        self, source: str, path: tuple[str | int, ...], value: object, allowed: str
    ) -> InputError:
        """Return the error about one place of such a file."""
        shown = "nothing" if value is None else clip(repr(value), 60)
        return InputError(
            f"read {source}, {spell(path) or 'the whole'}: {shown} is not allowed; "
            f"allowed: {allowed}",
            hint=self.hint,
        )

    def _wrong(self, source: str, error: ValidationError) -> InputError:
        """Return what is wrong first; a misspelt key before the key that is missing for it."""
        found = error.errors(include_url=False)
        unknown = [one for one in found if one["type"] == "unexpected_keyword_argument"]
        first = (unknown or found)[0]
        missing = first["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}
        value = None if missing else first["input"]
        allowed = "a value: the key is required" if missing else allowed_instead(first)
        return self.fault(source, ("spec", *first["loc"]), value, allowed)

    def problem(self, source: str, problem: Problem) -> InputError:
        """Return the error about a fault that a check found below ``spec``."""
        return self.fault(source, ("spec", *problem.path), problem.value, problem.allowed)

    def _envelope(self, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        head = {"apiVersion": API_VERSION, "kind": self.name, "metadata": {"name": name}}
        return {**head, "spec": dict(spec)}

    def _document(self, text: str, source: str) -> dict[str, Any]:
        documents = read_documents(text, source, hint=self.hint, load=_loaded)
        found = [one for one in documents if one is not None]
        if len(found) > 1:
            raise InputError(
                f"read {source}: {len(found)} documents, not one mapping of kind {self.name}",
                hint=self.hint,
            )
        if not found or not isinstance(found[0], dict):
            said = "not a mapping" if found else "nothing"
            raise InputError(
                f"read {source}: {said}, where one of kind {self.name} is wanted", hint=self.hint
            )
        self._refuse_control_characters(source, (), found[0])
        return found[0]

    def _only(
        self, source: str, path: tuple[str, ...], item: Mapping[str, Any], allowed: set[str]
    ) -> None:
        for key in sorted(set(item) - allowed):
            raise self.fault(source, (*path, key), item[key], ", ".join(sorted(allowed)))

    def _refuse_control_characters(
        self, source: str, path: tuple[str | int, ...], value: object
    ) -> None:
        if isinstance(value, str) and has_control(value):
            raise self.fault(source, path, value, "one line without control characters")
        if isinstance(value, dict):
            for key, item in value.items():
                if has_control(key):
                    raise self.fault(source, path, key, "keys without control characters")
                self._refuse_control_characters(source, (*path, key), item)
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._refuse_control_characters(source, (*path, index), item)


def is_name(text: str, *, most: int = 64) -> bool:
    """Return whether text is a name of letters, digits, dot, dash and underscore."""
    return 0 < len(text) <= most and all(
        one.isascii() and (one.isalnum() or one in "._-") for one in text
    )


def _loaded(text: str) -> list[object]:
    """Return the documents; JSON by its own reader, as YAML's is a hundred times slower."""
    if not text.lstrip().startswith("{"):
        return load_documents(text)
    try:
        return [json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)]
    except json.JSONDecodeError:
        # Flow style of YAML starts with the same character.
        return load_documents(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise ValueError(f"key {twice!r} stands there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number that JSON has")
