"""Proofs that whoever has a lock is gone: a fact about its host or from Slurm, never silence.

Each takes the lock's `Holder` and answers True only if it is proved to be gone; combine them with
`any_of`.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from sunk_jobs.checkpoint.lock import Gone, Holder

_OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "TIMEOUT",
    }
)
"""Slurm's job states from which only a requeue leads back."""
_START_TIME = 19
"""Place of `starttime` in /proc/PID/stat behind the program's name; proc_pid_stat(5)."""
_ASK_SECONDS = 30


def host_name() -> str:
    """Return this host's name."""
    return platform.node()


def boot_id(proc: Path = Path("/proc")) -> str:
    """Return the kernel's id of this boot."""
    return (proc / "sys/kernel/random/boot_id").read_text().strip()


def process_started(pid: int, proc: Path = Path("/proc")) -> int | None:
    """Return when a process started, in clock ticks since the boot; None when there is none."""
    try:
        text = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text.rpartition(")")[2].split()[_START_TIME])


def this_process(*, run_id: str, job_id: str, attempt: int, taken: str, nonce: str) -> Holder:
    """Return this process as the holder of a lock; see `Holder`."""
    pid = os.getpid()
    return Holder(
        run_id=run_id,
        job_id=job_id,
        attempt=attempt,
        host=host_name(),
        boot_id=boot_id(),
        pid=pid,
        process_started=process_started(pid) or 0,
        taken=taken,
        nonce=nonce,
    )


def gone_from_here(holder: Holder, proc: Path = Path("/proc")) -> bool:
    """Prove it for a holder on this host: another boot, or no such process in this one.

    In containers, this host's name must be the container's own: then a process that is not here is
    nowhere.
    """
    if holder.host != host_name():
        return False
    if holder.boot_id != boot_id(proc):
        return True
    return process_started(holder.pid, proc) != holder.process_started


def gone_by_slurm(holder: Holder) -> bool:
    """Prove it by Slurm's word: the job is over, or has been requeued since.

    No answer, or that of a job that Slurm no longer knows, proves nothing by itself.
    """
    try:
        done = subprocess.run(
            ["scontrol", "--oneliner", "show", "job", holder.job_id],
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and over(done.stdout, holder)


def over(text: str, holder: Holder) -> bool:
    """Say whether Slurm's record of a job proves that the holder is gone; pure.

    Args:
        text: what ``scontrol --oneliner show job`` printed.
        holder: of that job.
    """
    said = dict(word.partition("=")[::2] for word in text.split())
    restarts = said.get("Restarts", "")
    if restarts.isdigit() and int(restarts) > holder.attempt:
        return True
    return restarts == str(holder.attempt) and said.get("JobState") in _OVER


def any_of(*proofs: Gone) -> Gone:
    """Return a proof that holds when one of these does."""
    return lambda holder: any(proof(holder) for proof in proofs)
