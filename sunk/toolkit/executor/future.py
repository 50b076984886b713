"""A call that was submitted, and what it will return."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from sunk.clients.process import tail_of
from sunk.errors import JobEnded, SunkError
from sunk.model.slurm import JobState
from sunk.toolkit.executor.backend import Backend, Call, End
from sunk.toolkit.follow import Clock
from sunk_jobs.call import CallError, Result, read_result
from sunk_jobs.failures.evidence import of_log

_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_GROWTH = 1.5
A = TypeVar("A")
T = TypeVar("T")


class RemoteTraceback(Exception):
    """The traceback of an exception that was raised elsewhere; its cause."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: object = None
    error: BaseException | None = None
    state: str | None = None


class Future(Generic[T]):
    """A call that was submitted.

    Args:
        call: it.
        backend: what runs it.
        clock: time.
    """

    def __init__(self, call: Call, backend: Backend, clock: Clock) -> None:
        self._call = call
        self._backend = backend
        self._clock = clock
        self._outcome: _Outcome | None = None
        self._missed_since: float | None = None

    @property
    def job_id(self) -> str:
        """What the back end calls it: ``17``, ``17_3``, ``local-1``, ``debug-1``."""
        return self._call.job_id

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._call.run.folder

    @property
    def stdout(self) -> Path:
        """What the call prints, stderr too."""
        return self._call.log

    @property
    def state(self) -> str:
        """Slurm's word for the job's state, as last known; UNKNOWN when nothing is known."""
        if self._outcome is None:
            self._backend.look()
            self._settle()
        if self._outcome is not None and self._outcome.state is not None:
            return self._outcome.state
        return self._backend.state(self._call)

    def done(self) -> bool:
        """Return whether there is a result or an exception, or the job ended without one."""
        if self._outcome is None and not self._settle():
            self._backend.look()
            self._settle()
        return self._outcome is not None

    def result(self, timeout: float | None = None) -> T:
        """Return what the function returned; wait for it.

        Args:
            timeout: seconds to wait at most; the call goes on.

        Raises:
            TimeoutError: it has not ended by then.
            JobEnded: its job ended without a result.
            BaseException: what the function raised; its cause has the traceback.
        """
        outcome = self._wait(timeout)
        if outcome.error is not None:
            raise outcome.error
        return cast("T", outcome.value)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the function raised, or None when it returned; wait for it.

        Raises:
            TimeoutError: it has not ended by then.
        """
        return self._wait(timeout).error

    def cancel(self) -> bool:
        """End the call; return whether it had not ended by itself.

        Raises:
            RemoteError: Slurm refuses, or does not answer: it may still be running.
        """
        if self.done():
            return False
        self._backend.cancel(self._call)
        return True

    def cancelled(self) -> bool:
        """Return whether the call was cancelled, by whomever, before it had a result."""
        cancelled = JobState.CANCELLED.value
        return self.done() and self._outcome is not None and self._outcome.state == cancelled

    def _wait(self, timeout: float | None) -> _Outcome:
        if not wait_for(self.done, timeout, self._clock):
            raise TimeoutError(f"wait for job {self.job_id}: it has not ended ({self.state})")
        assert self._outcome is not None
        return self._outcome

    def _settle(self) -> bool:
        """Take the result if there is one, or the end of the job if that is certain."""
        # The end first: a result that is written in between must not be missed.
        end = self._backend.end(self._call)
        try:
            result = read_result(self._call.folder, self._call.index)
        except CallError as exc:
            result = None
            broken: BaseException | None = SunkError(f"read result of job {self.job_id}: {exc}")
        else:
            broken = None
        if result is not None:
            self._outcome = _of_result(result, self.job_id)
        elif end is None:
            self._missed_since = None
        elif broken is not None or self._late():
            self._outcome = _Outcome(error=broken or self._lost(end), state=end.state)
        if self._outcome is not None:
            self._backend.forget(self._call)
        return self._outcome is not None

    def _late(self) -> bool:
        now = self._clock.now()
        if self._missed_since is None:
            self._missed_since = now
        return now - self._missed_since >= self._backend.late_seconds

    def _lost(self, end: End) -> JobEnded:
        where = f" on {end.nodes}" if end.nodes else ""
        code = "" if end.exit_code is None else f", exit code {end.exit_code}"
        # What srun says last is only that it ends.
        cause = of_log(self.stdout).first
        said = tail_of(self.stdout, 1) if cause is None else cause.found.text
        return JobEnded(
            f"get result of job {self.job_id}: it ended {end.state}{where}{code}"
            + (f"; last words: {said}" if said else ""),
            state=end.state,
            exit_code=end.exit_code,
            hint=f"its output is in {self.stdout}",
        )


def wait_for(ready: Callable[[], A], timeout: float | None, clock: Clock) -> A:
    """Ask again and again until the answer is true; return the last answer.

    Args:
        ready: what to ask.
        timeout: seconds to wait at most; None: for ever.
        clock: time.
    """
    pause, until = _FIRST_PAUSE_SECONDS, None if timeout is None else clock.now() + timeout
    while not (answer := ready()):
        left = _LONGEST_PAUSE_SECONDS if until is None else until - clock.now()
        if left <= 0:
            break
        clock.sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)
    return answer


def _of_result(result: Result, job_id: str) -> _Outcome:
    try:
        value = None if result.payload is None else pickle.loads(result.payload)  # noqa: S301
    except Exception as exc:  # noqa: BLE001 - whatever a value's own unpickling raises
        text = f"read result of job {job_id}: {type(exc).__name__}: {exc}"
        return _Outcome(error=SunkError(text, hint="its modules have to be importable here, too"))
    if result.error is None:
        return _Outcome(value=value, state=JobState.COMPLETED.value)
    state = JobState.FAILED.value
    if isinstance(value, BaseException):
        value.__cause__ = RemoteTraceback(result.error)
        return _Outcome(error=value, state=state)
    last = result.error.strip().splitlines()[-1]
    error = SunkError(f"call function in job {job_id}: {last}")
    error.__cause__ = RemoteTraceback(result.error)
    return _Outcome(error=error, state=state)
