"""Follow a job or an array to its end: states as they change, and what it prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from sunk.errors import NotFound, Unreachable
from sunk.model.slurm import TERMINAL_STATES, Job, JobId, JobState

FIRST_POLL_SECONDS = 0.3
LONGEST_POLL_SECONDS = 10.0
_GROWTH = 1.3
_UNKNOWN_SECONDS = 60.0
"""How long a job may be unknown, or Slurm away, before following gives up."""
_NEVER_SEEN_SECONDS = 10.0
"""How long a job may be unknown that Slurm never knew: its number is wrong, as slurmctld has
each job from its submission on."""


class JobSource(Protocol):
    """Knows jobs; `sunk.clients.slurm.commands.SlurmCommands` on a login node."""

    def job(self, job_id: JobId) -> Job:
        """Return a job."""

    def elements(self, job_id: JobId) -> tuple[Job, ...]:
        """Return the elements of an array that have a record of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time, so that tests can bend it."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


REAL_CLOCK = Clock()


def follow(
    source: JobSource,
    job_id: JobId,
    tell: Callable[[str], None],
    *,
    log: Path | None = None,
    clock: Clock = REAL_CLOCK,
) -> Job:
    """Tell each change of a job's state, and its output, until it ends; return its last state.

    Polls often at first and rarely later. A job that Slurm does not know for a moment (the
    accounting lags) is not taken for ended.

    Args:
        source: asked for the job.
        job_id: its number.
        tell: gets lines for a person.
        log: the job's output, told as it grows.
        clock: time.

    Raises:
        NotFound: no part of Slurm knows the job for a minute.
        Unreachable: Slurm does not answer for a minute.
    """
    tail = _Tail(log, tell)
    said, patience = "", _Patience(clock)
    while True:
        job = patience.ask(lambda: source.job(job_id))
        words = describe(job)
        if words != said:
            tell(words)
            said = words
            patience.begin_anew()
        tail.tell_new()
        if job.state in TERMINAL_STATES:
            return job
        patience.wait()


def follow_array(
    source: JobSource,
    job_id: JobId,
    count: int,
    tell: Callable[[str], None],
    *,
    logs: Callable[[int], Path] | None = None,
    clock: Clock = REAL_CLOCK,
) -> tuple[Job, ...]:
    """Tell each change of an element's state, and the elements' output, until all have ended.

    An element that waits together with others has no record of its own: it is not told.

    Args:
        source: asked for the elements.
        job_id: the array's number.
        count: how many elements it has.
        tell: gets lines for a person.
        logs: the output of an element, by its index.
        clock: time.

    Raises:
        NotFound: no part of Slurm knows the array for a minute.
        Unreachable: Slurm does not answer for a minute.
    """
    said: dict[int, str] = {}
    tails: dict[int, _Tail] = {}
    patience = _Patience(clock)
    while True:
        found = patience.ask(lambda: source.elements(job_id))
        for element in found:
            index = element.array_task_id or 0
            words = describe(element)
            if said.get(index) != words:
                tell(words)
                said[index] = words
                patience.begin_anew()
            log = None if logs is None else logs(index)
            tails.setdefault(index, _Tail(log, tell, f"{index} ")).tell_new()
        if sum(1 for one in found if one.state in TERMINAL_STATES) >= count:
            return found
        patience.wait()


def describe(job: Job) -> str:
    """Return a job's state in words."""
    number = str(job.job_id)
    if job.array_job_id is not None and job.array_task_id is not None:
        number = f"{job.array_job_id}_{job.array_task_id}"
    words = f"job {number} {job.state.value}"
    if job.state is JobState.PENDING and job.reason:
        words += f" ({job.reason})"
    if job.nodes:
        words += f" on {job.nodes}"
    if job.state in TERMINAL_STATES and job.exit_code is not None:
        words += f", exit code {job.exit_code}"
        if job.exit_signal:
            words += f", signal {job.exit_signal}"
    return words


def completed(job: Job) -> bool:
    """Return whether a job ended the way it should."""
    return job.state is JobState.COMPLETED and job.exit_code in {0, None}


_Answer = TypeVar("_Answer")


class _Patience:
    """When to ask again, and how long not to know."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause = FIRST_POLL_SECONDS
        self._seen = False

    def ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Return the answer; ask again while Slurm does not know or answer, a minute at most."""
        lost_since = None
        while True:
            try:
                answer = question()
            except (NotFound, Unreachable) as exc:
                lost_since = self._clock.now() if lost_since is None else lost_since
                never_seen = isinstance(exc, NotFound) and not self._seen
                limit_seconds = _NEVER_SEEN_SECONDS if never_seen else _UNKNOWN_SECONDS
                if self._clock.now() - lost_since > limit_seconds:
                    raise
                self._clock.sleep(self._pause)
            else:
                self._seen = True
                return answer

    def begin_anew(self) -> None:
        """Something happened: look often again."""
        self._pause = FIRST_POLL_SECONDS

    def wait(self) -> None:
        """Wait, and longer the next time."""
        self._clock.sleep(self._pause)
        self._pause = min(self._pause * _GROWTH, LONGEST_POLL_SECONDS)


class _Tail:
    """What a file gained since the last look, in whole lines."""

    def __init__(self, path: Path | None, tell: Callable[[str], None], whose: str = "") -> None:
        self._path = path
        self._tell = tell
        self._whose = whose
        self._at = 0

    def tell_new(self) -> None:
        if self._path is None:
            return
        try:
            with self._path.open("rb") as source:
                source.seek(self._at)
                fresh = source.read()
        except OSError:
            return
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._tell(f"  {self._whose}| {line}")
