"""Calls as Slurm jobs; all of them are asked about at once, and ever more rarely."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from sunk.clients.slurm.commands import Key
from sunk.errors import CommandError, EnvironmentFault, NotFound, RemoteError
from sunk.model.slurm import TERMINAL_STATES, Job, JobId, JobState
from sunk.toolkit.executor.backend import Call, End
from sunk.toolkit.follow import FIRST_POLL_SECONDS, REAL_CLOCK, Clock
from sunk.toolkit.runs import Run, note_job

LONGEST_POLL_SECONDS = 30.0
_GROWTH = 1.3


class Slurm(Protocol):
    """What is asked of Slurm; `sunk.clients.slurm.commands.SlurmCommands` on a login node."""

    def submit(self, script: Path, folder: Path) -> JobId:
        """Submit a script."""

    def jobs(self, wanted: Iterable[Key]) -> dict[Key, Job]:
        """Return what is known of many jobs."""

    def cancel(self, job_id: JobId, element: int | None = None) -> None:
        """Cancel a job or an element."""


class SlurmBackend:
    """Runs calls as Slurm jobs.

    What Slurm does not know, or cannot be asked, keeps its last known state and is asked for
    again: a job whose sight is lost may well be running.

    Args:
        slurm: Slurm.
        clock: time.
    """

    late_seconds = 20.0  # file systems show other nodes' new files late; nfs(5), acdirmax

    def __init__(self, slurm: Slurm, clock: Clock = REAL_CLOCK) -> None:
        self._slurm = slurm
        self._clock = clock
        self._open: dict[Key, Job | None] = {}
        self._ended: dict[Key, Job] = {}
        self._pause = FIRST_POLL_SECONDS
        self._next = clock.now()

    def start(self, run: Run) -> tuple[Call, ...]:
        """Submit the script of a run folder.

        Raises:
            RemoteError: Slurm refuses it, or does not answer.
        """
        job_id = self._slurm.submit(run.script, run.folder)
        run = note_job(run, job_id)
        if run.elements is None:
            calls = [(Call(run=run, index=0, job_id=str(job_id)))]
        else:
            calls = [
                Call(run=run, index=index, job_id=f"{job_id}_{index}")
                for index in range(run.elements)
            ]
        self._open |= {_key(call): None for call in calls}
        self._look_soon()
        return tuple(calls)

    def look(self) -> None:
        """Ask Slurm about all calls that have not ended, if it is time to."""
        if not self._open or self._clock.now() < self._next:
            return
        try:
            found = self._slurm.jobs(self._open)
        except (RemoteError, CommandError, EnvironmentFault):
            found = {}
        changed = {
            key: job
            for key, job in found.items()
            if (before := self._open[key]) is None or before.state is not job.state
        }
        self._open |= found
        for key, job in changed.items():
            if job.state in TERMINAL_STATES:
                self._ended[key] = job
            else:
                # Slurm's word on an end is not the last one: a lost node's job is started again.
                self._ended.pop(key, None)
        if changed:
            self._look_soon()
        else:
            self._pause = min(self._pause * _GROWTH, LONGEST_POLL_SECONDS)
        self._next = self._clock.now() + self._pause

    def state(self, call: Call) -> str:
        """Return Slurm's word for its state."""
        job = self._ended.get(_key(call)) or self._open.get(_key(call))
        return JobState.UNKNOWN.value if job is None else job.state.value

    def end(self, call: Call) -> End | None:
        """Return how it ended, as far as Slurm says so now."""
        job = self._ended.get(_key(call))
        if job is None:
            return None
        return End(state=job.state.value, exit_code=job.exit_code, nodes=job.nodes)

    def forget(self, call: Call) -> None:
        """Ask no more about it."""
        self._open.pop(_key(call), None)

    def cancel(self, call: Call) -> None:
        """Cancel its job; one that Slurm no longer knows has ended."""
        job_id, element = _key(call)
        try:
            self._slurm.cancel(job_id, element)
        except NotFound:
            return
        self._look_soon()

    def _look_soon(self) -> None:
        self._pause = FIRST_POLL_SECONDS
        self._next = self._clock.now()


def _key(call: Call) -> Key:
    number, _, index = call.job_id.partition("_")
    return JobId(int(number)), int(index) if index else None
