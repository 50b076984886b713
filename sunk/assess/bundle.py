"""The evidence folder: raw outputs with a manifest of digests; pure, over names and bytes.

::

    manifest.json              version, and for every evidence what Evidence says, and its id
    raw/<id>.out               the standard output, as taken or redacted
    raw/<id>.err               the standard error, where there was any

The manifest is canonical JSON: sorted keys, sorted by id, one newline at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from sunk.assess.evidence import Evidence, digest
from sunk.errors import InputError

VERSION = 1
MANIFEST = "manifest.json"
_NAMES = tuple(sorted(one.name for one in fields(Evidence)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One evidence with its bytes.

    Attributes:
        evidence: what is known about it.
        output: standard output.
        errors: standard error.
    """

    evidence: Evidence
    output: bytes
    errors: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A folder that was read back.

    Attributes:
        kept: what agrees with the manifest, sorted by id.
        faults: what does not, each in words; whatever is named there is not among `kept`.
    """

    kept: tuple[Kept, ...]
    faults: tuple[str, ...]


def pack(kept: Iterable[Kept]) -> dict[str, bytes]:
    """Return the files of a folder by their relative path.

    Raises:
        InputError: bytes and digest of an evidence differ, or two have one id.
    """
    files: dict[str, bytes] = {}
    rows = []
    for one in sorted(kept, key=lambda each: each.evidence.id):
        wrong = _difference(one)
        if wrong:
            raise InputError(f"keep evidence {one.evidence.id}: {wrong}")
        if _path(one.evidence, "out") in files:
            raise InputError(f"keep evidence {one.evidence.id}: it is there already")
        files[_path(one.evidence, "out")] = one.output
        if one.errors:
            files[_path(one.evidence, "err")] = one.errors
        rows.append(
            {"id": one.evidence.id, **{name: getattr(one.evidence, name) for name in _NAMES}}
        )
    manifest = {"version": VERSION, "evidence": rows}
    files[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return dict(sorted(files.items()))


def unpack(files: Mapping[str, bytes]) -> Opened:
    """Return what a folder holds, every digest compared.

    Raises:
        InputError: there is no manifest, or it is none of this version.
    """
    kept: dict[str, Kept] = {}
    faults = []
    expected = {MANIFEST}
    for row in _rows(files):
        evidence, fault = _evidence(row)
        if evidence is None:
            faults.append(fault)
            continue
        output = files.get(_path(evidence, "out"))
        expected |= {
            _path(evidence, "out"),
            *((_path(evidence, "err"),) * bool(evidence.errors_sha256)),
        }
        if output is None:
            faults.append(f"{_path(evidence, 'out')} is missing")
            continue
        errors = files.get(_path(evidence, "err"), b"") if evidence.errors_sha256 else b""
        one = Kept(evidence=evidence, output=output, errors=errors)
        wrong = _difference(one)
        if wrong:
            faults.append(f"{_path(evidence, 'out')}: {wrong}")
        elif evidence.id in kept:
            faults.append(f"manifest.json names {evidence.id} twice")
        else:
            kept[evidence.id] = one
    faults += [f"{name!r} is not in the manifest" for name in files if name not in expected]
    return Opened(kept=tuple(kept[name] for name in sorted(kept)), faults=tuple(sorted(faults)))


def _path(evidence: Evidence, suffix: str) -> str:
    return f"raw/{evidence.id}.{suffix}"


def _difference(one: Kept) -> str:
    if digest(one.output) != one.evidence.sha256 or len(one.output) != one.evidence.size_bytes:
        return "its bytes are not those of the digest"
    if (digest(one.errors) if one.errors else "") != one.evidence.errors_sha256:
        return "the bytes of its standard error are not those of the digest"
    return ""


def _rows(files: Mapping[str, bytes]) -> list[Any]:
    content = files.get(MANIFEST)
    if content is None:
        raise InputError(f"read the evidence folder: there is no {MANIFEST}")
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise InputError(f"read {MANIFEST}: it is no JSON: {exc}") from exc
    if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
        raise InputError(
            f"read {MANIFEST}: it is not of version {VERSION}",
            hint="check the folder with the sunk that wrote it",
        )
    rows = manifest.get("evidence")
    if not isinstance(rows, list):
        raise InputError(f"read {MANIFEST}: it has no list of evidence")
    return rows


def _evidence(row: Any) -> tuple[Evidence | None, str]:
    if not isinstance(row, dict) or set(row) != {"id", *_NAMES}:
        return None, "manifest.json has an entry with other keys than an evidence"
    command, exit_code = row["command"], row["exit_code"]
    texts = [row[name] for name in ("id", "host", "at", "sha256", "errors_sha256")]
    well = (
        isinstance(command, list)
        and all(isinstance(word, str) for word in (*command, *texts))
        and (exit_code is None or type(exit_code) is int)
        and type(row["size_bytes"]) is int
        and type(row["redacted"]) is bool
    )
    if not well:
        return None, "manifest.json has an entry with values of other types than an evidence"
    values = {name: row[name] for name in _NAMES}
    try:
        made = Evidence(**{**values, "command": tuple(command)})
        given = made.id
    except UnicodeEncodeError:
        return None, "manifest.json has an entry that is no Unicode text"
    if given != row["id"]:
        return None, f"manifest.json: entry {row['id']!r} was changed after it was written"
    return made, ""
