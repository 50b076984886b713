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
        at: when, in UTC as ``2026-11-21T07:04:15Z``; empty when nobody said.
        exit_code: how it ended; nothing when nobody said.
        sha256: digest of the standard output as kept, in hexadecimal.
        size_bytes: its length.
        redacted: whether secrets were taken out before it was kept.
        errors_sha256: digest of the standard error; empty when there was none.
    """

    command: tuple[str, ...]
    host: str
    at: str
    exit_code: int | None
    sha256: str
    size_bytes: int
    redacted: bool = False
    errors_sha256: str = ""

    @property
    def id(self) -> str:
        """Return a short name made from all there is: other content, host or time, other id."""
        whole = "\0".join(
            (
                *self.command,
                self.host,
                self.at,
                str(self.exit_code),
                self.sha256,
                str(self.redacted),
            )
        )
        return hashlib.sha256(f"{whole}\0{self.errors_sha256}".encode()).hexdigest()[:ID_LENGTH]


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
