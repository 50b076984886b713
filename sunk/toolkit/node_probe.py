"""One probe job: what a node has that Slurm does not say. Nothing of it is left behind."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from sunk.errors import CommandError, ConfigError, JobEnded, RemoteError
from sunk.model.slurm import Job, JobId, JobState
from sunk.render.environment import environment
from sunk.toolkit.follow import REAL_CLOCK, Clock, follow
from sunk.toolkit.runs import copy_programs
from sunk_jobs.node_facts import SCHEMA

SCRIPT = "probe.sbatch"
RESULT = "facts.json"
_LATE_SECONDS = 20.0
"""File systems show other nodes' new files late; nfs(5), acdirmax."""


class Slurm(Protocol):
    """What is asked of Slurm; `sunk.clients.slurm.commands.SlurmCommands` on a login node."""

    def submit(self, script: Path, folder: Path) -> JobId:
        """Submit a script."""

    def job(self, job_id: JobId) -> Job:
        """Return a job."""

    def elements(self, job_id: JobId) -> tuple[Job, ...]:
        """Return the elements of an array."""

    def cancel(self, job_id: JobId, element: int | None = None) -> None:
        """Cancel a job."""


def probe(
    slurm: Slurm,
    root: Path,
    partition: str | None,
    within_seconds: int,
    tell: Callable[[str], None],
    clock: Clock = REAL_CLOCK,
) -> dict[str, Any]:
    """Run the probe on one node, and return what it has, as `sunk_jobs.node_facts` prints it.

    Args:
        slurm: Slurm.
        root: a folder that the nodes see, too; gets one for the job, which is removed at the end.
        partition: whose nodes; None: of Slurm's default one.
        within_seconds: at the end of these Slurm drops the job, even if nobody is here any more.
        tell: gets lines for a person.
        clock: time.

    Raises:
        ConfigError: the folder cannot be made.
        Rejected: Slurm refuses the job.
        JobEnded: it ended without a result.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="profile-probe-", dir=root))
    except OSError as exc:
        raise ConfigError(
            f"make a folder for the probe in {root}: {exc.strerror}",
            hint="choose another with --run-dir",
        ) from exc
    try:
        copy_programs(folder / "sunk_jobs")
        script = folder / SCRIPT
        made = environment().get_template("profile/probe.sbatch.j2")
        script.write_text(made.render(partition=partition, within_seconds=within_seconds))
        return _run(slurm, script, tell, clock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(slurm: Slurm, script: Path, tell: Callable[[str], None], clock: Clock) -> dict[str, Any]:
    job_id = slurm.submit(script, script.parent)
    try:
        last = follow(slurm, job_id, tell, clock=clock)
    except BaseException:
        # Whatever it was, Ctrl-C too: the job is not left waiting. Where Slurm does not answer
        # its deadline ends it.
        with suppress(RemoteError, CommandError):
            slurm.cancel(job_id)
        raise
    result = script.with_name(RESULT)
    deadline = clock.now() + _LATE_SECONDS
    while last.state is JobState.COMPLETED and not result.exists() and clock.now() < deadline:
        clock.sleep(0.5)
    found = _read(result)
    if found is None:
        log = script.with_name("probe.log")
        words = log.read_text(errors="replace").strip()[-200:] if log.exists() else ""
        raise JobEnded(
            f"probe a node by job {job_id}: it ended as {last.state.value} without a result"
            + (f": {words}" if words else ""),
            state=last.state.value,
            exit_code=last.exit_code,
            hint="the folder of --run-dir has to be one that the nodes see; or leave out --probe",
        )
    return found


def _read(file: Path) -> dict[str, Any] | None:
    try:
        raw = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) and raw.get("schema") == SCHEMA else None
