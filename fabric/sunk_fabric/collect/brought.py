"""Texts that somebody else took, kept beside what is collected: logs of jobs, outputs of tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sunk.errors import InputError, clip
from sunk_fabric.collect.conversation import Taken
from sunk_fabric.collect.questions import Question
from sunk_fabric.parse.formats import BY_NAME

OVER = "file"
_FORM = re.compile(r"(?P<format>[a-z0-9_]+)(?:@(?P<host>[A-Za-z0-9._-]+))?=(?P<path>.+)")
_UNUSUAL = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """One file.

    Attributes:
        format: of its text.
        host: where it was taken; empty for what is about several, or names them itself.
        path: where it lies.
    """

    format: str
    host: str
    path: Path

    def taken(self) -> Taken:
        """Return its text, as of the time of the file's last change.

        Raises:
            InputError: it cannot be read.
        """
        try:
            output = self.path.read_bytes()
            changed = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        except OSError as exc:
            raise InputError(f"read {self.path}: {exc.strerror}") from exc
        at = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"{self.format}.{_UNUSUAL.sub('-', self.path.stem) or 'file'}"
        question = Question(name=name, argv=("cat", str(self.path)), within_seconds=0.0)
        return Taken(
            question=question, began=at, ended=at, exit_code=None, output=output, errors=b""
        )


def brought(word: str) -> Brought:
    """Return what ``FORMAT[@HOST]=FILE`` means.

    Raises:
        InputError: it is not of that form, the format is not known, or there is no such file.
    """
    found = _FORM.fullmatch(word)
    if found is None:
        raise InputError(
            f"read --text {clip(word)!r}: not FORMAT[@HOST]=FILE",
            hint="for example --text nccl_log=job.log, or --text perftest@gpu001=ib_write_bw.txt",
        )
    if found["format"] not in BY_NAME:
        raise InputError(
            f"read --text {clip(word)!r}: {found['format']} is not a format",
            hint=f"one of {', '.join(sorted(BY_NAME))}",
        )
    path = Path(found["path"])
    if not path.is_file():
        raise InputError(f"read --text {clip(word)!r}: there is no file {path}")
    return Brought(format=found["format"], host=found["host"] or "", path=path)
