"""The folder of a collection, filled text by text: whoever dies on the way loses what he holds.

While it is being filled, a journal names what is there; at the end the manifest takes its place,
and the folder is what `sunk.assess.bundle` describes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sunk.assess import bundle
from sunk.assess.bundle import JOURNAL, MANIFEST, Kept
from sunk.assess.evidence import Evidence, evidence_of
from sunk.clients import evidence_files
from sunk.errors import InputError, clip
from sunk_fabric import collection
from sunk_fabric.collect.conversation import Taken
from sunk_fabric.collect.redact import redact
from sunk_fabric.collection import Collection
from sunk_fabric.parse.collection import parse

COMMAND = ("sunk", "fabric", "collect")


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier run left in a folder.

    Attributes:
        evidence: of its texts, without its record.
        record: what came of its hosts; nothing when it was killed before it wrote one.
    """

    evidence: tuple[Evidence, ...] = ()
    record: Collection | None = None


def read_before(folder: Path) -> Before:
    """Return what is there already, every digest compared.

    Raises:
        InputError: it is no folder that this program fills, or was changed.
    """
    files = evidence_files.read(folder)
    if JOURNAL in files:
        kept = bundle.from_journal(files)
    else:
        opened = bundle.unpack(files)
        if opened.faults:
            raise InputError(
                f"go on with the folder {folder}: {clip(opened.faults[0])}",
                hint="it was changed after it was collected; collect into another one",
            )
        kept = opened.kept
    records = [one for one in kept if one.evidence.name == collection.NAME]
    texts = tuple(one.evidence for one in kept if one.evidence.name != collection.NAME)
    last = max(records, key=lambda one: one.evidence.until, default=None)
    return Before(texts, None if last is None else parse(last.output).value)


class Keeper:
    """Writes texts into a folder; used by many threads at once.

    Args:
        folder: made when it is not there.
        before: what stays of an earlier run; other files of it are removed.

    Raises:
        InputError: the folder is there, and nothing is to stay.
    """

    def __init__(self, folder: Path, before: Iterable[Evidence] | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.redactions = 0
        if before is None and folder.exists():
            raise InputError(
                f"collect into {folder}: it exists",
                hint="name one that does not, or go on with it: --resume",
            )
        try:
            (folder / "raw").mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise InputError(f"make the folder {folder}: {exc.strerror}") from exc
        self.evidence = {one.id: one for one in before or ()}
        draft = folder / f".{JOURNAL}"
        draft.write_bytes(b"".join(bundle.journal_line(one) for one in self.evidence.values()))
        draft.replace(folder / JOURNAL)
        (folder / MANIFEST).unlink(missing_ok=True)
        stay = {path for one in self.evidence.values() for path in bundle.paths(one)}
        for file in (folder / "raw").iterdir():
            if f"raw/{file.name}" not in stay:
                file.unlink()

    def add(self, taken: Taken, *, host: str, over: str) -> Evidence:
        """Keep an answer, without the secrets in it."""
        output, hidden = redact(taken.output)
        errors, more = redact(taken.errors)
        made = evidence_of(
            output,
            command=taken.question.command,
            host=host,
            at=taken.began,
            exit_code=taken.exit_code,
            errors=errors,
        )
        made = replace(
            made,
            name=taken.question.name,
            until=taken.ended,
            over=over,
            redactions=hidden + more,
            incomplete=taken.incomplete,
        )
        self._write(Kept(evidence=made, output=output, errors=errors))
        return made

    def begin(self, record: Collection) -> None:
        """Note which hosts are meant, for whoever goes on after a kill."""
        self._note(record)

    def finish(self, record: Collection) -> None:
        """Write the record and the manifest; the folder is whole then."""
        earlier = [one for one in self.evidence.values() if one.name == collection.NAME]
        self._note(record)
        with self._lock:
            for one in earlier:
                del self.evidence[one.id]
            draft = self._folder / f".{MANIFEST}"
            draft.write_bytes(bundle.manifest(self.evidence.values()))
            draft.replace(self._folder / MANIFEST)
            (self._folder / JOURNAL).unlink()
            for path in (path for one in earlier for path in bundle.paths(one)):
                (self._folder / path).unlink()

    def read(self, evidence: Evidence) -> bytes:
        """Return the standard output of what was kept."""
        return (self._folder / bundle.paths(evidence)[0]).read_bytes()

    def _note(self, record: Collection) -> None:
        output = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
        made = evidence_of(output, command=COMMAND, at=record.began, exit_code=0)
        made = replace(made, name=collection.NAME, until=record.ended)
        self._write(Kept(evidence=made, output=output))

    def _write(self, kept: Kept) -> None:
        with self._lock:
            for name, content in bundle.files_of(kept).items():
                (self._folder / name).write_bytes(content)
            with (self._folder / JOURNAL).open("ab") as journal:
                journal.write(bundle.journal_line(kept.evidence))
            self.evidence[kept.evidence.id] = kept.evidence
            self.redactions += kept.evidence.redactions
