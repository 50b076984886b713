"""Programs that block, run on virtual time: one at a time, in an order that a test decides.

Each program has a thread of its own, but only one ever runs: it hands over when it waits, and is
woken when its time has come. Between two events nothing happens, so what holds after every event
holds always.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class Ended(BaseException):
    """Thrown into a program that waits when the schedule is over; not an error of its own."""


@dataclass
class _Program:
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class Schedule:
    """Virtual time, and what happens in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._back = threading.Semaphore(0)
        self._here = threading.local()
        self._threads: list[tuple[threading.Thread, _Program]] = []
        self._over = False
        self._failure: BaseException | None = None

    def at(self, time: float, what: Callable[[], None]) -> None:
        """Call something at a time."""
        heapq.heappush(self._events, (max(time, self.now), next(self._order), what))

    def start(self, program: Callable[[], None], *, at: float = 0.0) -> None:
        """Run a program, which may call `wait`, from a time on."""
        mine = _Program()

        def body() -> None:
            self._here.program = mine
            mine.turn.acquire()
            try:
                if not self._over:
                    program()
            except Ended:
                pass
            except BaseException as exc:  # noqa: BLE001 - handed to whoever runs the schedule
                self._failure = exc
            finally:
                self._back.release()

        thread = threading.Thread(target=body, daemon=True)
        self._threads.append((thread, mine))
        thread.start()
        self.at(at, lambda: self._resume(mine))

    def wait(self, seconds: float) -> None:
        """Let the calling program wait."""
        mine = self._here.program
        self.at(self.now + seconds, lambda: self._resume(mine))
        self._back.release()
        mine.turn.acquire()
        if self._over:
            raise Ended

    def run(self, until: float, after_each: Callable[[], None] = lambda: None) -> None:
        """Let things happen up to a time; afterwards every program is ended.

        Args:
            until: the last moment.
            after_each: called after each event.
        """
        try:
            while self._events and self._events[0][0] <= until:
                self.now, _, what = heapq.heappop(self._events)
                what()
                if self._failure is not None:
                    raise self._failure
                after_each()
            self.now = until
        finally:
            self._over = True
            for thread, program in self._threads:
                program.turn.release()
                thread.join(10)

    def _resume(self, program: _Program) -> None:
        program.turn.release()
        self._back.acquire()
