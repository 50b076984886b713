"""Evidence: one raw output with where, when and how it was taken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

ID_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about one raw output.

    Attributes:
        command: the words that were run; one word for text that somebody handed in.
        host: where it was run; empty when nobody said.
        at: when it began, in UTC as ``2026-11-21T07:04:15Z``; empty when nobody said.
        exit_code: how it ended; nothing when nobody said.
        sha256: digest of the standard output as kept, in hexadecimal.
        size_bytes: its length.
        errors_sha256: digest of the standard error; empty when there was none.
        name: what a file with it would be called, without ending: its format, and a word that
            tells several apart: ``proc_limits.slurmd``; empty when the command says it.
        until: when it ended, as `at`.
        over: how the host was reached, such as ``ssh``; empty when nobody said.
        redactions: how many secrets were taken out before it was kept.
        incomplete: why it is not the whole output, in words; empty when it is.
    """

    command: tuple[str, ...]
    host: str
    at: str
    exit_code: int | None
    sha256: str
    size_bytes: int
    errors_sha256: str = ""
    name: str = ""
    until: str = ""
    over: str = ""
    redactions: int = 0
    incomplete: str = ""

    @property
    def id(self) -> str:
        """Return a short name made from all there is: other content, host or time, other id."""
        whole = (
            *(*self.command, self.host, self.at, str(self.exit_code), self.sha256),
            *(self.errors_sha256, self.name, self.until, self.over),
            *(str(self.redactions), self.incomplete),
        )
        return hashlib.sha256("\0".join(whole).encode()).hexdigest()[:ID_LENGTH]


def evidence_of(
    output: bytes,
    *,
    command: tuple[str, ...],
    host: str = "",
    at: str = "",
    exit_code: int | None = None,
    errors: bytes = b"",
) -> Evidence:
    """Return the evidence that an output is."""
    made = Evidence(
        command=command,
        host=host,
        at=at,
        exit_code=exit_code,
        sha256=digest(output),
        size_bytes=len(output),
    )
    return replace(made, errors_sha256=digest(errors)) if errors else made


def digest(content: bytes) -> str:
    """Return the SHA-256 of `content` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
