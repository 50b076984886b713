"""Stopping because somebody asked, on all ranks at the same step."""

from __future__ import annotations

import os
import signal

import pytest

from sunk_jobs import exit_codes
from sunk_jobs.checkpoint import Alone, StopRequest, ignore_in_worker
from tests.support.checkpoint_runs import on_ranks


@pytest.fixture
def handlers():
    """Puts the process's handlers back."""
    before = {
        one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    }
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


def test_all_ranks_stop_at_the_step_at_which_rank_0_sees_the_flag_file(tmp_path):
    flag = tmp_path / "save.0"

    def run(rank):
        stop = StopRequest(rank, flag)
        for step in range(5):
            if step == 3 and rank.rank == 0:
                flag.write_text("USR1")
            if stop.agreed():
                return step
        return None

    assert on_ranks(3, run) == [3] * 3


def test_all_ranks_stop_when_a_signal_came_to_any_of_them():
    def run(rank):
        stop = StopRequest(rank)
        for step in range(5):
            if step == 2 and rank.rank == 1:
                stop.received.append(signal.SIGTERM)
            if stop.agreed():
                return step
        return None

    assert on_ranks(2, run) == [2, 2]


def test_a_second_signal_changes_nothing_and_agreeing_is_final(handlers, tmp_path):
    looked = []

    class Counting(Alone):
        def any(self, flag):
            looked.append(flag)
            return flag

    stop = StopRequest(Counting(), tmp_path / "none").listen()
    assert not stop.agreed()
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert [stop.agreed(), stop.agreed(), stop.agreed()] == [True] * 3
    assert (looked, stop.received) == ([False, True], [signal.SIGUSR1, signal.SIGTERM])


def test_loader_processes_ignore_the_signals(handlers):
    ignore_in_worker(0)
    for one in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), one)
        assert signal.getsignal(one) is signal.SIG_IGN


def test_exit_codes_are_the_agreed_ones():
    assert (
        exit_codes.FINISHED,
        exit_codes.SAVED,
        exit_codes.SAVED_PARTIALLY,
        exit_codes.DO_NOT_RESTART,
    ) == (0, 75, 76, 93)
