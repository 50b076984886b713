"""Read a folder of texts: one with a manifest, or one that somebody filled by hand.

By hand, a file is named after its format, in a folder named after its host; what is about the
whole fabric stands at the top. A word between tells several apart::

    ibnetdiscover.txt
    gpu001/ibstat.txt
    gpu001/nccl_log.run7.txt
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sunk.assess.bundle import JOURNAL, MANIFEST, Kept, unpack
from sunk.assess.evidence import Evidence, evidence_of
from sunk.clients import evidence_files
from sunk.errors import InputError, clip
from sunk_fabric.expected import Expected
from sunk_fabric.facts import Facts, Reading, gathered
from sunk_fabric.parse import formats, ibnetdiscover, link_list
from sunk_fabric.parse.link_list import IntendedLink
from sunk_fabric.topology.fabric import build
from sunk_fabric.topology.intended import intended_of


def read(
    folder: Path,
    *,
    expected: Expected | None = None,
    intended: tuple[IntendedLink, ...] | None = None,
) -> tuple[Facts, tuple[Evidence, ...]]:
    """Return the facts of a folder, and the evidence that they rest on.

    Raises:
        InputError: it is no folder, is empty, or its manifest is none.
    """
    files = evidence_files.read(folder)
    if not files:
        raise InputError(
            f"read the folder {folder}: it is empty",
            hint="put texts there, named after their tool: gpu001/ibstat.txt",
        )
    if JOURNAL in files:
        raise InputError(
            f"read the folder {folder}: a collection into it did not get to its end",
            hint=f"sunk fabric collect {folder} --resume",
        )
    if MANIFEST in files:
        readings, strangers, evidence = _from_manifest(folder, files)
    else:
        readings, strangers, evidence = _by_hand(files)
    facts = Facts(
        readings=gathered(readings),
        strangers=tuple(sorted(strangers)),
        expected=expected or Expected(),
        intended=intended,
    )
    return facts, tuple(evidence)


_Read = tuple[list[Reading[Any]], list[tuple[str, str]], list[Evidence]]


def _from_manifest(folder: Path, files: dict[str, bytes]) -> _Read:
    opened = unpack(files)
    if opened.faults:
        raise InputError(
            f"read the folder {folder}: {clip(opened.faults[0])}",
            hint="it was changed after it was collected; take the original",
        )
    readings, strangers = [], []
    for one in opened.kept:
        first, _, name = one.evidence.name.partition(".")
        if first in formats.FOR_PEOPLE:
            continue
        form = formats.BY_NAME.get(first) or formats.of_command(one.evidence.command)
        path = f"raw/{one.evidence.id}.out"
        if form is None:
            strangers.append(
                (f"{path} ({clip(' '.join(one.evidence.command), 80)})", one.evidence.id)
            )
        else:
            host = "" if form.name in formats.WHOLE_FABRIC else one.evidence.host
            shown = f"{host or 'fabric'}/{one.evidence.name}" if one.evidence.name else path
            readings.append(_reading(form, shown, host, name, one))
    return readings, strangers, [one.evidence for one in opened.kept]


def _by_hand(files: dict[str, bytes]) -> _Read:
    readings, strangers, evidence = [], [], []
    for path, content in files.items():
        host, _, last = path.rpartition("/")
        stem = last.split(".")
        form = formats.BY_NAME.get(stem[0])
        name = ".".join(stem[1:-1])
        if stem[0] in formats.FOR_PEOPLE:
            continue
        made = evidence_of(content, command=(form.name if form else path,), host=host)
        evidence.append(made)
        if form is None:
            strangers.append((path, made.id))
        else:
            kept = Kept(evidence=made, output=content)
            readings.append(_reading(form, path, host, name, kept))
    return readings, strangers, evidence


def _reading(form: formats.Format, path: str, host: str, name: str, kept: Kept) -> Reading[Any]:
    return Reading(
        format=form.name,
        path=path,
        host=host,
        name=name,
        at=kept.evidence.at,
        until=kept.evidence.until,
        exit_code=kept.evidence.exit_code,
        incomplete=kept.evidence.incomplete,
        evidence=kept.evidence.id,
        parsed=form.parse(kept.output),
    )


def read_expected(file: Path) -> Expected:
    """Return what a site declares in a YAML file.

    Raises:
        InputError: the file is not there, no YAML, or has a key or value that it may not have.
    """
    try:
        document = yaml.safe_load(_text(file)) or {}
        declared = msgspec.convert(_known(file, document), type=Expected)
    except yaml.YAMLError as exc:
        raise InputError(f"read {file}: it is no YAML: {clip(str(exc))}") from exc
    except msgspec.ValidationError as exc:
        raise InputError(f"read {file}: {exc}") from exc
    if wrong := declared.problem:
        raise InputError(f"read {file}: {wrong}")
    return declared


def _known(file: Path, document: Any) -> dict[str, Any]:
    names = sorted(one.name for one in fields(Expected))
    if not isinstance(document, dict):
        raise InputError(f"read {file}: it is no mapping", hint=f"keys are {', '.join(names)}")
    for key in document:
        if key not in names:
            raise InputError(
                f"read {file}: {clip(str(key))!r} is no key", hint=f"keys are {', '.join(names)}"
            )
    return document


def read_intended(file: Path) -> tuple[IntendedLink, ...]:
    """Return the links of a plan: a CSV list, or an earlier output of ibnetdiscover.

    Raises:
        InputError: the file is not there, or not read to its end without a doubt.
    """
    content = _text(file)
    if b"switchguid=" in content or b"caguid=" in content:
        scan = ibnetdiscover.parse(content)
        if scan.trouble:
            raise InputError(f"read the plan {file}: {scan.trouble}")
        return intended_of(build(scan.value))
    links = link_list.parse(content)
    if links.trouble:
        raise InputError(
            f"read the plan {file}: {links.trouble}",
            hint=f"columns are {', '.join((*link_list.NEEDED, *link_list.OPTIONAL))}",
        )
    return links.value


PIECE_BYTES = 1 << 20


def pieces(file: Path) -> Iterator[bytes]:
    """Yield a file in pieces, so that a large one is never held whole.

    Raises:
        InputError: it is not there.
    """
    try:
        with file.open("rb") as source:
            while piece := source.read(PIECE_BYTES):
                yield piece
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise InputError(f"read {file}: {exc.strerror}") from exc


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise InputError(f"read {file}: {exc.strerror}") from exc
