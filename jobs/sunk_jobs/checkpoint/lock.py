"""Whose folder of checkpoints this is: one attempt at a time writes it.

The lock appears whole: it is written under another name, made durable, and linked. It is taken
over only on a proof, which the caller gives, that its holder is gone; no age and no silence is one.
What a lock that was wrongly taken over can do is bounded: every draft has a folder of its own, and
a writer that no longer has the lock does not commit.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sunk_jobs.checkpoint.errors import FormatError, Locked
from sunk_jobs.checkpoint.files import Files, read_whole, write_durably
from sunk_jobs.checkpoint.manifest import LOCK, trash_name


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who has a lock.

    Attributes:
        run_id: the chain of jobs.
        job_id: Slurm's number of the job.
        attempt: how often the job had been requeued.
        host: where rank 0 runs.
        boot_id: of that host, from the kernel; another one means that it was rebooted since.
        pid: of rank 0.
        process_started: when rank 0 started, in clock ticks since that boot.
        taken: when, RFC 3339 in UTC; nothing is decided by it.
        nonce: of this very taking.
    """

    run_id: str
    job_id: str
    attempt: int
    host: str
    boot_id: str
    pid: int
    process_started: int
    taken: str
    nonce: str

    def __str__(self) -> str:
        return (
            f"job {self.job_id}, attempt {self.attempt}, process {self.pid} on {self.host}, "
            f"since {self.taken}"
        )


Gone = Callable[[Holder], bool]
"""Answers True only if the holder is proved to be gone; see `sunk_jobs.checkpoint.proofs`."""


def take(files: Files, folder: Path, me: Holder, gone: Gone | None = None) -> None:
    """Take the lock of a folder.

    Raises:
        Locked: somebody else has it, and is not proved to be gone.
        OSError: the file system refused.
    """
    draft = folder / f".{LOCK}-{me.nonce}"
    try:
        write_durably(files, draft, [_dump(me)])
        while not _linked(files, draft, folder / LOCK):
            found = holder_of(files, folder)
            if found == me:  # a network file system may do it and yet say that it exists
                return
            if found is not None:
                if gone is None or not gone(found):
                    raise Locked(f"take {folder / LOCK}: held by {found}, not proved to be gone")
                _set_aside(files, folder, found, me)
    finally:
        with contextlib.suppress(OSError):  # a leftover that the clean-up removes
            files.unlink(draft)


def release(files: Files, folder: Path, me: Holder) -> None:
    """Give the lock back, if it is still ours."""
    if holds(files, folder, me):
        with contextlib.suppress(FileNotFoundError):
            files.unlink(folder / LOCK)


def holds(files: Files, folder: Path, me: Holder) -> bool:
    """Say whether the lock is ours."""
    try:
        return holder_of(files, folder) == me
    except Locked:
        return False


def holder_of(files: Files, folder: Path) -> Holder | None:
    """Return who has the lock; None when nobody has.

    Raises:
        Locked: there is a lock, and what it says cannot be read.
    """
    try:
        return load_holder(read_whole(files, folder / LOCK))
    except FileNotFoundError:
        return None
    except FormatError as exc:
        raise Locked(f"take {folder / LOCK}: {exc}") from exc


def load_holder(raw: bytes) -> Holder:
    """Return the holder that a lock's bytes name.

    Raises:
        FormatError: they are not what `take` writes.
    """
    try:
        found = Holder(**json.loads(raw))
    except (ValueError, TypeError, RecursionError) as exc:
        raise FormatError("it does not say whose it is") from exc
    if _dump(found) != raw:
        raise FormatError("it does not say whose it is")
    return found


def _dump(holder: Holder) -> bytes:
    return (json.dumps(asdict(holder), sort_keys=True) + "\n").encode()


def _linked(files: Files, draft: Path, lock: Path) -> bool:
    try:
        files.link(draft, lock)
    except FileExistsError:
        return False
    return True


def _set_aside(files: Files, folder: Path, judged: Holder, me: Holder) -> None:
    """Take away the lock that was judged, and no other."""
    aside = folder / trash_name(LOCK, me.nonce)
    try:
        files.rename(folder / LOCK, aside)
    except FileNotFoundError:
        return
    try:
        moved = load_holder(read_whole(files, aside))
        if moved != judged:
            # Somebody was faster and has a lock of its own: back with it.
            with contextlib.suppress(FileExistsError):
                files.link(aside, folder / LOCK)
            raise Locked(f"take {folder / LOCK}: held by {moved}, who was faster")
    finally:
        files.unlink(aside)
