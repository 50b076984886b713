"""Ask somebody who may not answer for long, without standing still: one question at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from sunk.errors import Unreachable

Answer = TypeVar("Answer")


class Asker(Generic[Answer]):
    """Asks in a thread of its own, and waits for an answer only so long.

    An answer that comes late is the answer to the next question: it is younger than that question
    is far from the last one, and a server that is slow is not asked twice at once.

    Args:
        whom: who is asked, for messages.
        seconds: how long to wait each time.
    """

    def __init__(self, whom: str, seconds: float) -> None:
        self._whom = whom
        self._seconds = seconds
        self._pending: _Question[Answer] | None = None

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return the answer.

        Raises:
            Unreachable: there is none yet; the same question is still open.
            Exception: what the question raised.
        """
        if self._pending is None:
            self._pending = _Question(question)
        pending = self._pending
        if not pending.done.wait(self._seconds):
            raise Unreachable(
                f"ask {self._whom}: no answer within {self._seconds:g} s", system=self._whom
            )
        self._pending = None
        if pending.failure is not None:
            raise pending.failure
        return pending.answer[0]


class _Question(Generic[Answer]):
    def __init__(self, question: Callable[[], Answer]) -> None:
        self.done = threading.Event()
        self.answer: list[Answer] = []
        self.failure: BaseException | None = None
        self._question = question
        threading.Thread(target=self._run, name="question", daemon=True).start()

    def _run(self) -> None:
        try:
            self.answer.append(self._question())
        except BaseException as exc:  # noqa: BLE001 - raised again where it was asked
            self.failure = exc
        finally:
            self.done.set()
