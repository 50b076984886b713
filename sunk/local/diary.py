"""What a helper process writes to its log: each change of its trouble once, not every attempt."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TextIO


class Diary:
    """Writes lines with the time to a log; may be used by several threads.

    Args:
        sink: the log.
    """

    def __init__(self, sink: TextIO) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}

    def trouble(self, subject: str, text: str) -> None:
        """Note what is wrong with a subject; the same trouble again is no news."""
        with self._lock:
            if self._troubles.get(subject) != text:
                self._troubles[subject] = text
                self._write(text)

    def fine(self, subject: str) -> None:
        """Note that a subject works; said only when there was trouble."""
        with self._lock:
            if self._troubles.pop(subject, None) is not None:
                self._write(f"{subject}: works again")

    def say(self, text: str) -> None:
        """Write a line."""
        with self._lock:
            self._write(text)

    def _write(self, text: str) -> None:
        now = dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._sink.write(f"{now} {text}\n")
        self._sink.flush()
