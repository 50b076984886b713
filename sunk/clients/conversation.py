"""Talk to a program of this machine, as to a shell on another one."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Sequence
from contextlib import suppress

from sunk.clients.process import piped
from sunk.clients.shells import Heard
from sunk.errors import Unreachable

_CHUNK_BYTES = 1 << 18


class Conversation:
    """A program that is talked to through pipes; a `sunk.clients.shells.Shell` when it is one.

    Args:
        argv: program and arguments.

    Raises:
        EnvironmentFault: the program does not exist.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._words = tuple(argv)
        # In a session of its own: closing it ends what the program started too.
        self._child = piped(self._words)
        self._ready = selectors.DefaultSelector()
        for pipe in (self._child.stdout, self._child.stderr):
            assert pipe is not None
            self._ready.register(pipe, selectors.EVENT_READ)

    def send(self, text: bytes) -> None:
        """Write to the program's standard input.

        Raises:
            Unreachable: it is gone.
        """
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(text)
            self._child.stdin.flush()
        except (OSError, ValueError) as exc:
            raise self._gone() from exc

    def receive(self, within_seconds: float) -> Heard:
        """Return what the program said, as soon as there is some.

        Raises:
            Unreachable: it is gone, and all that it said was returned.
        """
        if not self._ready.get_map():
            raise self._gone()
        said = {self._child.stdout: b"", self._child.stderr: b""}
        for key, _ in self._ready.select(max(0.0, within_seconds)):
            content = os.read(key.fd, _CHUNK_BYTES)
            if not content:
                self._ready.unregister(key.fileobj)
            said[key.fileobj] = content  # type: ignore[index] # one of the two pipes
        return Heard(said[self._child.stdout], said[self._child.stderr])

    def close(self) -> None:
        """Kill the program and what it started; safe to call twice."""
        if self._child.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._ready.close()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()

    def _gone(self) -> Unreachable:
        return Unreachable(f"talk to {self._words[0]}: it ended", system="process")
