"""Job descriptions that people write: a YAML file, and ``key=value`` on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sunk.errors import InputError, clip
from sunk.render.plain_yaml import read_documents
from sunk.toolkit.catalogue import Template, template_named
from sunk.toolkit.parameters import JobParameters, validated


def read_job(source: str, assignments: Sequence[str]) -> tuple[Template, JobParameters]:
    """Return the template and parameters that a template's name or a job file means.

    Args:
        source: name of a template, or path of a YAML file with the key ``template``.
        assignments: ``key=value``; the value is YAML, so ``program=[a, b]`` is a list.

    Raises:
        InputError: there is no such template or file, or a parameter is wrong.
    """
    values: dict[str, Any] = {}
    origin = f"parameters of template {source}"
    if "/" in source or source.endswith((".yaml", ".yml")):
        values = _read_file(Path(source))
        origin = f"job file {source}"
        name = values.pop("template", None)
        if not isinstance(name, str):
            raise InputError(
                f"read {origin}: template: missing", hint="add a line like: template: mpi"
            )
        template = template_named(name)
    else:
        template = template_named(source)
    values |= dict(_assignment(text) for text in assignments)
    return template, validated(template.form, values, origin)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except OSError as exc:
        raise InputError(
            f"read job file {path}: {exc.strerror}",
            hint="give the path of a YAML file, or a template's name: sunk job template list",
        ) from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"read job file {path}: {clip(str(exc))}") from exc
    documents = read_documents(text, f"job file {path}")
    document = documents[0] if len(documents) == 1 else None
    if not isinstance(document, Mapping):
        raise InputError(
            f"read job file {path}: not a mapping of parameters",
            hint="start it with: template: mpi",
        )
    return {str(key): value for key, value in document.items()}


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(
            f"read --set {clip(repr(text), 60)}: not key=value", hint="for example: --set nodes=2"
        )
    documents = read_documents(value, f"--set {key}")
    return key, documents[0] if documents else ""
