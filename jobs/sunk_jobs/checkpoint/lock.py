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
from sunk_jobs.checkpoint.manifest import LOCK


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
                _succeed(files, draft, found, me, gone)
                return
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


def holder_of(files: Files, folder: Path, name: str = LOCK) -> Holder | None:
    """Return who has the lock (or another of its files); None when nobody has.

    Raises:
        Locked: there is a lock, and what it says cannot be read.
    """
    try:
        return load_holder(read_whole(files, folder / name))
    except FileNotFoundError:
        return None
    except FormatError as exc:
        raise Locked(f"take {folder / name}: {exc}") from exc


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


def _succeed(files: Files, draft: Path, dead: Holder, me: Holder, gone: Gone | None) -> None:
    """Put our lock in the place of a dead holder's, as the only one that may.

    Of many that judge the same lock, the one that makes the claim on it may replace it. If that one
    died before it did, its claim can be claimed in turn. Claims are removed after the lock was
    replaced, so whoever makes one later sees another lock than the one it judged.
    """
    folder = draft.parent
    lock, claims, last = folder / LOCK, list[Path](), dead
    while True:
        if gone is None or not gone(last):
            raise Locked(f"take {lock}: held by {last}, not proved to be gone")
        claims.append(folder / f".{LOCK}-after-{last.nonce}")
        if _linked(files, draft, claims[-1]):
            break
        other = holder_of(files, folder, claims[-1].name)
        if other == me:  # as above
            break
        if other is None:
            raise Locked(f"take {lock}: another attempt was faster")
        last = other
    if holder_of(files, folder) != dead:
        files.unlink(claims[-1])
        raise Locked(f"take {lock}: another attempt was faster")
    files.rename(draft, lock)
    for claim in claims:
        with contextlib.suppress(FileNotFoundError):
            files.unlink(claim)
