"""How long work tells what it is doing: a protocol that services report to and the CLI draws.

Services take a `Reporter`; they never print. Implementations must accept calls from several
threads at once, because downloads, builds and images overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Reporter(Protocol):
    """Receives the progress of steps; a step is known by its name."""

    def begin(self, step: str) -> None:
        """Note that a step starts."""

    def detail(self, step: str, text: str) -> None:
        """Say what a running step does at the moment."""

    def end(self, step: str, outcome: str) -> None:
        """Note that a step ended well; `outcome` is a few words, for example ``already built``."""

    def fail(self, step: str, error: BaseException) -> None:
        """Note that a step ended with an error (which is also raised)."""


class Step:
    """One running step; passed to the code that does the work."""

    def __init__(self, reporter: Reporter, name: str) -> None:
        self._reporter = reporter
        self._name = name
        self.outcome = "done"

    def detail(self, text: str) -> None:
        """Say what is being done now."""
        self._reporter.detail(self._name, text)


@contextmanager
def step(reporter: Reporter, name: str) -> Iterator[Step]:
    """Report the block as one step; set `outcome` on the yielded step to describe its end."""
    reporter.begin(name)
    current = Step(reporter, name)
    try:
        yield current
    except BaseException as exc:
        reporter.fail(name, exc)
        raise
    reporter.end(name, current.outcome)


class Silent:
    """A reporter that says nothing (tests, library use)."""

    def begin(self, step: str) -> None:
        """Ignore."""

    def detail(self, step: str, text: str) -> None:
        """Ignore."""

    def end(self, step: str, outcome: str) -> None:
        """Ignore."""

    def fail(self, step: str, error: BaseException) -> None:
        """Ignore."""
