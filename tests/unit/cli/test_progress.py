from __future__ import annotations

import io

import pytest

from sunk.cli.progress import Lines, clock
from sunk.errors import InputError
from sunk.progress import step


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (60, "1:00"), (3725, "62:05")]
)
def test_durations_read_as_people_read_them(seconds, text):
    assert clock(seconds) == text


def test_lines_tell_start_detail_and_end_with_times():
    clock_, sink = Clock(), io.StringIO()
    lines = Lines(sink, clock_)
    with step(lines, "build") as current:
        clock_.now = 12.0
        current.detail("package 3 of 9")
        clock_.now = 13.0
        current.detail("package 4 of 9")
        clock_.now = 75.0
        current.outcome = "built"
    assert sink.getvalue() == (
        "[  0.0 s] build: start\n[ 12.0 s] build: package 3 of 9\n[   1:15] build: built (1:15)\n"
    )


def test_failed_step_is_told_and_its_error_goes_on():
    sink = io.StringIO()
    with pytest.raises(InputError), step(Lines(sink, Clock()), "read"):
        raise InputError("read x: not a number")
    assert "[  0.0 s] read: FAILED: read x: not a number\n" in sink.getvalue()
