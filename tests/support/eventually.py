"""Wait for something real to become true: poll with a deadline, never a bare sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05
PATIENCE = 4
"""How many times as long a test waits as the same takes at worst on a machine that is not busy: a
shared one may do ten other things. How fast things are, the bench measures."""


def eventually(predicate: Callable[[], T], within_seconds: float, *, what: str = "") -> T:
    """Return the first true value of `predicate`; fail once the time is over.

    Args:
        predicate: asked again and again.
        within_seconds: how long it may take on a machine that does nothing else.
        what: name of what is waited for.

    Errors that the predicate raises are counted as "not yet"; the last one goes into the failure.

    Raises:
        AssertionError: the deadline passed; says what was waited for and the last answer.
    """
    patience_seconds = PATIENCE * within_seconds
    deadline = time.monotonic() + patience_seconds
    while True:
        last: object
        cause: Exception | None = None
        try:
            value = predicate()
        except Exception as exc:  # noqa: BLE001 - a server that is not up yet may fail in any way
            last, cause = exc, exc
        else:
            if value:
                return value
            last = value
        if time.monotonic() >= deadline:
            name = what or getattr(predicate, "__name__", "the condition")
            raise AssertionError(
                f"wait for {name}: not true after {patience_seconds:g} s; last answer: {last!r}"
            ) from cause
        time.sleep(POLL_SECONDS)
