"""What Slurm says of runs, all of them asked about at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sunk.clients.slurm.commands import Key
from sunk.errors import CommandError, EnvironmentFault, RemoteError
from sunk.model.slurm import TERMINAL_STATES, Job, JobState
from sunk.toolkit.run_history import attempts, committed, jobs_of, last_attempt
from sunk.toolkit.runs import Run, read_record

NOT_SUBMITTED = "not submitted"


class JobsSource(Protocol):
    """Knows jobs; `sunk.clients.slurm.commands.SlurmCommands` on a login node."""

    def jobs(self, wanted: Iterable[Key]) -> dict[Key, Job]:
        """Return what is known of many jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """One run.

    Attributes:
        run: name of its folder.
        template: what it was rendered from.
        job_id: the job that goes on now, as Slurm's commands take it; empty before.
        state: Slurm's word; of an array, each with how many elements; UNKNOWN where Slurm does not
            say; `not submitted` before.
        reason: why it waits.
        nodes: where it runs or ran.
        exit_code: of the job; None before its end, and of an array.
        attempts: how many began.
        step: last committed step now; None without.
        last: class of the last attempt that was judged; empty before.
    """

    run: str
    template: str
    job_id: str
    state: str
    reason: str
    nodes: str
    exit_code: int | None
    attempts: int
    step: int | None
    last: str

    @property
    def known(self) -> bool:
        """Whether Slurm said anything of all of it."""
        return JobState.UNKNOWN.value not in self.state

    @property
    def over(self) -> bool:
        """Whether Slurm says of all of it that it has ended."""
        return self._states <= {state.value for state in TERMINAL_STATES}

    @property
    def completed(self) -> bool:
        """Whether Slurm says of all of it that it completed."""
        return self._states == {JobState.COMPLETED.value}

    @property
    def _states(self) -> set[str]:
        return {part.split()[-1] for part in self.state.split(", ")}

    @property
    def said(self) -> str:
        """The job and its state, for people."""
        where = f" on {self.nodes}" if self.nodes else ""
        return f"job {self.job_id} {self.state}{f' ({self.reason})' if self.reason else ''}{where}"


def states_of(runs: Sequence[Run], source: JobsSource) -> tuple[RunState, ...]:
    """Return the states of runs; where Slurm does not answer, they are UNKNOWN."""
    wanted = {key for run in runs for key in _keys(run)}
    try:
        found = source.jobs(wanted) if wanted else {}
    except (RemoteError, CommandError, EnvironmentFault):
        found = {}
    return tuple(_state(run, found) for run in runs)


def _keys(run: Run) -> list[Key]:
    jobs = jobs_of(run)
    if not jobs:
        return []
    elements = [None] if run.elements is None else list(range(run.elements))
    return [(jobs[-1], element) for element in elements]


def _state(run: Run, found: Mapping[Key, Job]) -> RunState:
    keys, judged = _keys(run), attempts(run.folder)
    jobs = [found.get(key) for key in keys]
    one = jobs[0] if len(jobs) == 1 else None
    last = last_attempt(run.folder)
    return RunState(
        run=run.folder.name,
        template=str(read_record(run.folder).get("template", "")),
        job_id=str(keys[0][0]) if keys else "",
        state=_words(jobs) if keys else NOT_SUBMITTED,
        reason="" if one is None else one.reason,
        nodes="" if one is None else one.nodes,
        exit_code=None if one is None else one.exit_code,
        attempts=max(len(judged), -1 if last is None else last + 1),
        step=committed(run.folder),
        last=str(judged[-1].kind) if judged else "",
    )


def _words(jobs: Sequence[Job | None]) -> str:
    states = [JobState.UNKNOWN.value if job is None else job.state.value for job in jobs]
    if len(states) == 1:
        return states[0]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
