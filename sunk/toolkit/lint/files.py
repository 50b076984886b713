"""Files that the linter reads and writes: scripts, programs beside them, facts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from sunk.errors import ConfigError, InputError, clip
from sunk.render.plain_yaml import read_documents
from sunk.toolkit.lint.engine import lint_script, wanted_folders, wanted_programs
from sunk.toolkit.lint.facts import ClusterFacts
from sunk.toolkit.lint.model import Finding
from sunk.toolkit.lint.reader import read_script
from sunk.toolkit.lint.script import Script

STDIN = Path("-")
"""Names standard input."""
LARGEST_BYTES = 4 * 1024 * 1024
"""Largest script; slurmctld's own limit (max_script_size) is this unless changed."""


def read_file(path: Path) -> bytes:
    """Return the bytes of a script; of standard input for `STDIN`.

    Raises:
        InputError: it cannot be read, or is larger than Slurm takes.
    """
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            with path.open("rb") as source:
                data = source.read(LARGEST_BYTES + 1)
    except OSError as exc:
        raise InputError(
            f"read script {path}: {exc.strerror}", hint="give the paths of sbatch scripts"
        ) from exc
    if len(data) > LARGEST_BYTES:
        raise InputError(
            f"read script {path}: larger than {LARGEST_BYTES} bytes, which Slurm refuses",
            hint="give the paths of sbatch scripts",
        )
    return data


def lint_file(path: Path, facts: ClusterFacts, *, live: bool) -> tuple[bytes, tuple[Finding, ...]]:
    """Return a script's bytes and what is wrong with it.

    Args:
        path: of the script; Python programs that it names are looked for beside it.
        facts: of the cluster.
        live: this machine sees the cluster's file systems, so folders are looked up.

    Raises:
        InputError: the script cannot be read.
    """
    data = read_file(path)
    script = read_script(data)
    script.programs = _programs(script, path.parent)
    if live:
        known = {folder: _usable(Path(folder)) for folder in wanted_folders(script)}
        facts = replace(facts, folders={**known, **facts.folders})
    return data, lint_script(str(path), script, facts)


def _usable(folder: Path) -> bool:
    """Return whether a folder exists, or this user may make it."""
    if folder.exists():
        return folder.is_dir()
    nearest = next(one for one in folder.parents if one.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def _programs(script: Script, folder: Path) -> dict[str, str]:
    found = {}
    for name in set(wanted_programs(script)):
        try:
            file = folder / name
            if file.is_file() and file.stat().st_size <= LARGEST_BYTES:
                found[name] = file.read_text(errors="replace")
        except (OSError, ValueError):
            continue  # a name that this machine cannot look up is a program that we do not know
    return found


def write_file(path: Path, data: bytes) -> None:
    """Replace a script, keeping its mode; a crash leaves the old one or the new one.

    Raises:
        ConfigError: it cannot be written.
    """
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}.sunk")
    try:
        draft.write_bytes(data)
        draft.chmod(target.stat().st_mode & 0o7777)
        draft.replace(target)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"write script {path}: {exc.strerror}") from exc


def read_text(path: Path, what: str) -> str:
    """Return the text of a file that somebody named.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as exc:
        raise InputError(f"read {what} {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"read {what} {path}: {clip(str(exc))}") from exc


def write_text(path: Path, text: str) -> None:
    """Write a file of ours.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.write_text(text)
    except OSError as exc:
        raise ConfigError(f"write {path}: {exc.strerror}") from exc


def read_facts(path: Path) -> ClusterFacts:
    """Return the facts in a YAML file; its keys are those of `ClusterFacts` in camelCase.

    Raises:
        InputError: it cannot be read, or a key or value is wrong.
    """
    documents = read_documents(read_text(path, "facts"), f"facts {path}")
    return facts_from(documents[0] if documents else {}, str(path))


def facts_from(document: Any, origin: str) -> ClusterFacts:
    """Return facts from a mapping that somebody wrote.

    Raises:
        InputError: a key or value is wrong.
    """
    named = {to_camel(name): name for name in ClusterFacts.__dataclass_fields__}
    hint = f"keys: {', '.join(sorted(named))}"
    if not isinstance(document, Mapping):
        raise InputError(f"read facts {origin}: not a mapping", hint=hint)
    if unknown := sorted(str(key) for key in document if key not in named):
        raise InputError(f"read facts {origin}: {clip(unknown[0])}: no such key", hint=hint)
    values = {named[key]: value for key, value in document.items()}
    try:
        return TypeAdapter(ClusterFacts).validate_python(values)
    except ValidationError as exc:
        faults = (f"{_key(one['loc'])}: {one['msg']}" for one in exc.errors())
        raise InputError(f"read facts {origin}: {clip('; '.join(faults))}", hint=hint) from exc


def _key(place: tuple[int | str, ...]) -> str:
    first, *rest = map(str, place)
    return ".".join((to_camel(first), *rest))
