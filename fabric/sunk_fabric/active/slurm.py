"""Hosts from Slurm: a job that holds nodes, and a step for each program."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sunk.errors import JobEnded, NotFound, SunkError, Unreachable
from sunk.model.hostlist import expand, fold
from sunk.model.slurm import TERMINAL_STATES, Job, JobId, JobState

_POLL_SECONDS = 1.0
_ENDING_SECONDS = 60.0
_SPARE_MINUTES = 1


class Commands(Protocol):
    """Slurm's own commands; `sunk.clients.slurm.commands.SlurmCommands`."""

    def submit(self, script: Path, folder: Path) -> JobId:
        """Submit a script."""

    def job(self, job_id: JobId) -> Job:
        """Return a job."""

    def cancel(self, job_id: JobId) -> None:
        """Cancel a job."""


class SlurmBackend:
    """Runs programs as steps of a job.

    Args:
        commands: Slurm's.
        folder: where the job's script is written; nodes need not see it.
        partition: of the job; the default one when empty.
        account: of the job; the user's when empty.
        job: one that runs already and is not ours to end; None to submit one.
        wait_seconds: how long a submitted job may wait for its nodes.
    """

    setup_seconds = 5.0

    def __init__(
        self,
        commands: Commands,
        folder: Path,
        *,
        partition: str = "",
        account: str = "",
        job: int | None = None,
        wait_seconds: float = 600.0,
    ) -> None:
        self._commands = commands
        self._folder = folder
        self._partition = partition
        self._account = account
        self._given = None if job is None else JobId(job)
        self._wait_seconds = wait_seconds
        self._job = self._given

    def reserve(self, hosts: Sequence[str], minutes: float) -> None:
        """Submit a job that holds the hosts, and wait until it runs; or look at the one given.

        Raises:
            JobEnded: it ended, or has other nodes.
            Unreachable: it waits too long, or slurmctld does not answer.
        """
        if self._given is None:
            script = self._folder / "hold.sbatch"
            script.write_text(self._script(hosts, minutes))
            self._job = self._commands.submit(script, self._folder)
        assert self._job is not None
        deadline = time.monotonic() + self._wait_seconds
        while (job := self._seen()) is None or job.state is not JobState.RUNNING:
            if job is not None and job.state in TERMINAL_STATES:
                raise JobEnded(
                    f"hold {len(hosts)} nodes: job {self._job} ended as {job.state}",
                    state=str(job.state),
                )
            if time.monotonic() > deadline:
                why = f": {job.reason}" if job and job.reason else ""
                raise Unreachable(
                    f"hold {len(hosts)} nodes: job {self._job} has waited"
                    f" {self._wait_seconds:g} s{why}",
                    system="slurm",
                    hint="name fewer hosts, or wait longer with --wait-minutes",
                )
            time.sleep(_POLL_SECONDS)
        lacking = sorted(set(hosts) - set(expand(job.nodes)))
        if lacking:
            raise JobEnded(
                f"hold {len(hosts)} nodes: job {self._job} has not {fold(lacking)}",
                state=str(job.state),
            )

    def words(self, host: str, command: Sequence[str]) -> tuple[str, ...]:
        """Return srun for one task on a host, beside whatever else runs in the job."""
        return self._step((host,), command)

    def together(self, hosts: Sequence[str], command: Sequence[str], mpi: str) -> tuple[str, ...]:
        """Return srun for one step with a task on each host."""
        return self._step(hosts, command, f"--mpi={mpi}")

    def _step(self, hosts: Sequence[str], command: Sequence[str], *how: str) -> tuple[str, ...]:
        count = len(hosts)
        where = (f"--jobid={self._job}", "--overlap", f"--nodes={count}", f"--ntasks={count}")
        on = (f"--nodelist={','.join(hosts)}", "--cpu-bind=none", "--input=none")
        return ("srun", *where, *on, *how, *command)

    def release(self) -> str:
        """Cancel the job that was submitted, and return what is wrong when it does not end."""
        if self._given is not None or self._job is None:
            return ""
        name = f"job {self._job}"
        try:
            self._commands.cancel(self._job)
            deadline = time.monotonic() + _ENDING_SECONDS
            while (job := self._seen()) is None or job.state not in TERMINAL_STATES:
                if time.monotonic() > deadline:
                    return f"{name} still ends; look with: squeue --job {self._job}"
                time.sleep(_POLL_SECONDS)
        except NotFound:
            return ""
        except SunkError as exc:
            return f"{name} may still hold its nodes: {exc.message}; scancel {self._job}"
        return ""

    def _seen(self) -> Job | None:
        """Return the job; None while neither slurmctld nor slurmdbd has it yet."""
        assert self._job is not None
        try:
            return self._commands.job(self._job)
        except NotFound:
            return None

    def _script(self, hosts: Sequence[str], minutes: float) -> str:
        length = math.ceil(minutes) + _SPARE_MINUTES
        chosen = [f"--partition={self._partition}"] if self._partition else []
        chosen += [f"--account={self._account}"] if self._account else []
        options = (
            "--job-name=sunk-fabric-test",
            f"--nodes={len(hosts)}",
            "--ntasks-per-node=1",
            f"--nodelist={fold(hosts)}",
            f"--time={length}",
            "--exclusive",
            "--no-requeue",
            "--output=/dev/null",
            *chosen,
        )
        directives = "".join(f"#SBATCH {one}\n" for one in options)
        return f"#!/bin/sh\n{directives}exec sleep {length * 60}\n"
