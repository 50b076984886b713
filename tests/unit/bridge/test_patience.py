"""Somebody who does not answer must not stop the bridge."""

from __future__ import annotations

import threading

import pytest

from sunk.bridge.patience import Asker
from sunk.errors import NotFound, Unreachable


def test_answer_in_time_is_returned():
    assert Asker("slurmrestd", 5).ask(lambda: 7) == 7


def test_error_is_raised_where_it_was_asked_and_the_next_question_is_asked_anew():
    asker = Asker("slurmrestd", 5)

    def broken() -> int:
        raise NotFound("read node: not found", system="slurm")

    with pytest.raises(NotFound):
        asker.ask(broken)
    assert asker.ask(lambda: 7) == 7


def test_silence_is_said_after_the_limit_and_a_late_answer_is_taken_once():
    asker, may = Asker("slurmrestd", 0.01), threading.Event()
    asked = []

    def slow() -> int:
        asked.append(1)
        may.wait(30)
        return len(asked)

    for _ in range(3):
        with pytest.raises(Unreachable, match="no answer within"):
            asker.ask(slow)
    assert len(asked) == 1
    may.set()
    patient = Asker("slurmrestd", 30)
    patient._pending = asker._pending
    assert patient.ask(slow) == 1
    assert patient.ask(slow) == 2
