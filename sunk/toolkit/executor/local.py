"""Calls as processes of this machine, some at a time."""

from __future__ import annotations

import os
import signal
from collections import deque
from contextlib import suppress
from itertools import count

from sunk.clients import process
from sunk.model.slurm import JobState
from sunk.toolkit.executor.backend import FOLDER, Call, End
from sunk.toolkit.runs import Run


class LocalBackend:
    """Runs calls as processes; further ones start when somebody waits for a result.

    Args:
        python: the program that runs them.
        at_once: processes that run at once.
    """

    late_seconds = 0.0

    def __init__(self, python: str, at_once: int) -> None:
        self._python = python
        self._at_once = at_once
        self._numbers = count(1)
        self._waiting: deque[Call] = deque()
        self._running: dict[str, int] = {}
        self._ended: dict[str, End] = {}

    def start(self, run: Run) -> tuple[Call, ...]:
        """Start the calls of a run folder, or as many as may run now."""
        calls = [
            Call(run=run, index=index, job_id=f"local-{next(self._numbers)}")
            for index in range(run.elements or 1)
        ]
        self._waiting.extend(calls)
        self.look()
        return tuple(calls)

    def look(self) -> None:
        """Collect processes that have ended, and start others in their place."""
        for job_id, pid in list(self._running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self._running[job_id]
                self._ended[job_id] = _end(status)
        while self._waiting and len(self._running) < self._at_once:
            call = self._waiting.popleft()
            self._running[call.job_id] = process.start(
                (self._python, "-m", "sunk_jobs.call", "--folder", FOLDER, f"--index={call.index}"),
                log=call.log,
                env={"PYTHONPATH": _path(call.run), "PYTHONUNBUFFERED": "1"},
                cwd=call.run.folder,
            )

    def state(self, call: Call) -> str:
        """Return its state in Slurm's words."""
        if call.job_id in self._ended:
            return self._ended[call.job_id].state
        running = call.job_id in self._running
        return JobState.RUNNING.value if running else JobState.PENDING.value

    def end(self, call: Call) -> End | None:
        """Return how it ended, or None while it runs."""
        return self._ended.get(call.job_id)

    def forget(self, call: Call) -> None:
        """Do nothing: its process is collected all the same."""

    def cancel(self, call: Call) -> None:
        """End its process and all that it started."""
        if call in self._waiting:
            self._waiting.remove(call)
            self._ended[call.job_id] = End(state=JobState.CANCELLED.value)
        elif call.job_id in self._running:
            pid = self._running.pop(call.job_id)
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            killed = os.WIFSIGNALED(status)
            self._ended[call.job_id] = (
                End(state=JobState.CANCELLED.value) if killed else _end(status)
            )
            self.look()


def _end(status: int) -> End:
    code = os.waitstatus_to_exitcode(status)
    state = JobState.COMPLETED if code == 0 else JobState.FAILED
    return End(state=state.value, exit_code=code)


def _path(run: Run) -> str:
    given = os.environ.get("PYTHONPATH")
    return f"{run.folder}:{given}" if given else str(run.folder)
