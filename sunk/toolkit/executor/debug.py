"""Calls in this very process, where a debugger can follow them."""

from __future__ import annotations

from itertools import count

from sunk.model.slurm import JobState
from sunk.toolkit.executor.backend import Call, End
from sunk.toolkit.runs import Run
from sunk_jobs import call as caller


class DebugBackend:
    """Runs each call to its end when it is submitted; what it prints is not kept."""

    late_seconds = 0.0

    def __init__(self) -> None:
        self._numbers = count(1)
        self._ended: dict[str, End] = {}

    def start(self, run: Run) -> tuple[Call, ...]:
        """Run the calls of a run folder, one after another."""
        calls = []
        for index in range(run.elements or 1):
            one = Call(run=run, index=index, job_id=f"debug-{next(self._numbers)}")
            result, code = caller.call(one.folder, index)
            caller.write_result(one.folder, index, result)
            state = JobState.COMPLETED if code == 0 else JobState.FAILED
            self._ended[one.job_id] = End(state=state.value, exit_code=code)
            calls.append(one)
        return tuple(calls)

    def look(self) -> None:
        """Do nothing: all calls have ended."""

    def state(self, call: Call) -> str:
        """Return its state in Slurm's words."""
        return self._ended[call.job_id].state

    def end(self, call: Call) -> End | None:
        """Return how it ended."""
        return self._ended[call.job_id]

    def forget(self, call: Call) -> None:
        """Do nothing: nobody is asked."""

    def cancel(self, call: Call) -> None:
        """Do nothing: it has ended."""
