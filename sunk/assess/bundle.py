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
JOURNAL = "collecting.jsonl"
"""One line for each evidence while a folder is being filled; gone once the manifest is there."""
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
    many = tuple(kept)
    for one in many:
        wrong = _difference(one)
        if wrong:
            raise InputError(f"keep evidence {one.evidence.id}: {wrong}")
        if paths(one.evidence)[0] in files:
            raise InputError(f"keep evidence {one.evidence.id}: it is there already")
        files |= files_of(one)
    files[MANIFEST] = manifest(one.evidence for one in many)
    return dict(sorted(files.items()))


def manifest(evidence: Iterable[Evidence]) -> bytes:
    """Return the manifest of a folder."""
    rows = [_row(one) for one in sorted(evidence, key=lambda each: each.id)]
    document = {"version": VERSION, "evidence": rows}
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def files_of(one: Kept) -> dict[str, bytes]:
    """Return the raw files of one evidence by their relative path."""
    out, *err = paths(one.evidence)
    return {out: one.output, **dict.fromkeys(err, one.errors)}


def paths(evidence: Evidence) -> tuple[str, ...]:
    """Return where the raw files of an evidence are: standard output, and error if any."""
    ends = ("out", "err") if evidence.errors_sha256 else ("out",)
    return tuple(f"raw/{evidence.id}.{end}" for end in ends)


def journal_line(evidence: Evidence) -> bytes:
    """Return the line that notes an evidence while a folder is being filled."""
    return (json.dumps(_row(evidence), sort_keys=True) + "\n").encode()


def from_journal(files: Mapping[str, bytes]) -> tuple[Kept, ...]:
    """Return what a folder holds that was being filled when its writer died.

    A last line that does not end, and raw files that no line names, are as if never written.
    """
    lines = files.get(JOURNAL, b"").split(b"\n")[:-1]
    rows = {MANIFEST: _manifest_of_rows(lines)}
    raw = {name: content for name, content in files.items() if name not in {JOURNAL, MANIFEST}}
    return unpack({**raw, **rows}).kept


def _manifest_of_rows(lines: Iterable[bytes]) -> bytes:
    """Return a manifest of the lines of a journal."""
    return b'{"version": %d, "evidence": [%s]}' % (VERSION, b",".join(lines))


def _row(evidence: Evidence) -> dict[str, Any]:
    return {"id": evidence.id, **{name: getattr(evidence, name) for name in _NAMES}}


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
        own = paths(evidence)
        expected |= {*own}
        output = files.get(own[0])
        if output is None:
            faults.append(f"{own[0]} is missing")
            continue
        errors = b"".join(files.get(path, b"") for path in own[1:])
        one = Kept(evidence=evidence, output=output, errors=errors)
        wrong = _difference(one)
        if wrong:
            faults.append(f"{own[0]}: {wrong}")
        elif evidence.id in kept:
            faults.append(f"manifest.json names {evidence.id} twice")
        else:
            kept[evidence.id] = one
    faults += [f"{name!r} is not in the manifest" for name in files if name not in expected]
    return Opened(kept=tuple(kept[name] for name in sorted(kept)), faults=tuple(sorted(faults)))


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
    numbers = ("size_bytes", "redactions")
    texts = [row[name] for name in row if name not in {"command", "exit_code", *numbers}]
    well = (
        isinstance(command, list)
        and all(isinstance(word, str) for word in (*command, *texts))
        and (exit_code is None or type(exit_code) is int)
        and all(type(row[name]) is int for name in numbers)
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
