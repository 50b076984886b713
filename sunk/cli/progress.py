"""Draw progress: live on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from sunk.errors import SunkError
from sunk.progress import Reporter

_DETAIL_SECONDS = 10.0
"""A step's details are repeated on a plain log at most this often."""


def clock(seconds: float) -> str:
    """Return a duration as people read it: ``4.2 s``, ``3:07``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Lines:
    """Progress as lines, for logs and pipes.

    Args:
        sink: where to write.
        now: monotonic clock in seconds.
    """

    def __init__(self, sink: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._sink = sink
        self._now = now
        self._start = now()
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def begin(self, step: str) -> None:
        """Write that a step starts."""
        with self._lock:
            self._began[step] = self._now()
            self._write(step, "start")

    def detail(self, step: str, text: str) -> None:
        """Write what a step does, now and then."""
        with self._lock:
            if self._now() - self._said.get(step, 0.0) >= _DETAIL_SECONDS:
                self._said[step] = self._now()
                self._write(step, text)

    def end(self, step: str, outcome: str) -> None:
        """Write how a step ended and how long it took."""
        with self._lock:
            took = self._now() - self._began.get(step, self._start)
            self._write(step, f"{outcome} ({clock(took)})")

    def fail(self, step: str, error: BaseException) -> None:
        """Write that a step failed."""
        with self._lock:
            self._write(step, f"FAILED: {_cause(error)}")

    def _write(self, step: str, text: str) -> None:
        self._sink.write(f"[{clock(self._now() - self._start):>7}] {step}: {text}\n")
        self._sink.flush()


class Drawing:
    """Progress drawn on a terminal: a line for each step, running ones with a spinner."""

    def __init__(self, console: Console) -> None:
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self._details: dict[str, str] = {}
        self._spinner = Spinner("dots")
        self._console = console
        self.live = Live(console=console, get_renderable=self._draw, refresh_per_second=8)

    def begin(self, step: str) -> None:
        """Show a step as running."""
        with self._lock:
            self._began[step] = time.monotonic()
            self._details[step] = ""

    def detail(self, step: str, text: str) -> None:
        """Show what a running step does."""
        with self._lock:
            self._details[step] = text

    def end(self, step: str, outcome: str) -> None:
        """Show a step as done."""
        self._close(step, Text("✔ ", style="green"), outcome)

    def fail(self, step: str, error: BaseException) -> None:
        """Show a step as failed."""
        self._close(step, Text("✘ ", style="bold red"), _cause(error))

    def _close(self, step: str, mark: Text, words: str) -> None:
        with self._lock:
            began = self._began.pop(step, time.monotonic())
            self._details.pop(step, None)
        took = clock(time.monotonic() - began)
        self._console.print(mark + Text(step, style="bold") + Text(f"  {words}  {took}"))

    def _draw(self) -> Group:
        with self._lock:
            running = [(s, self._began[s], self._details.get(s, "")) for s in self._began]
        glyph = self._spinner.render(time.monotonic())
        lines = []
        for name, began, detail in running:
            line = Text.assemble(glyph if isinstance(glyph, Text) else Text("·"), " ")
            line.append(name, style="bold")
            line.append(f"  {clock(time.monotonic() - began)}  ", style="cyan")
            line.append(detail, style="dim")
            line.no_wrap = True
            line.overflow = "ellipsis"
            lines.append(line)
        return Group(*lines)


@contextmanager
def reporting() -> Iterator[Reporter]:
    """Yield the reporter that suits stderr."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(sys.stderr)
        return
    drawing = Drawing(console)
    with drawing.live:
        yield drawing


def _cause(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return error.message if isinstance(error, SunkError) else repr(error)
