"""A shell somewhere: bytes in, bytes out, kept open for many commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Heard:
    """What a shell said since it was asked last; both empty when the time was over.

    Attributes:
        out: of its standard output.
        err: of its standard error.
    """

    out: bytes = b""
    err: bytes = b""

    def __bool__(self) -> bool:
        """Return whether it said anything."""
        return bool(self.out or self.err)


class Shell(Protocol):
    """A POSIX shell that reads commands from its standard input."""

    def send(self, text: bytes) -> None:
        """Write to its standard input.

        Raises:
            Unreachable: it is gone, or takes nothing in time.
        """

    def receive(self, within_seconds: float) -> Heard:
        """Return what it said, as soon as there is some.

        Raises:
            Unreachable: it is gone, and all that it said was returned.
        """

    def close(self) -> None:
        """End it; safe to call twice, and from another thread."""
