"""The protocol by which a checkpoint becomes durable on all ranks, or does not exist.

Which fsync protects what, if power is lost everywhere at any moment:

=====================================  =============================================================
fsync of                               without it
=====================================  =============================================================
each shard, by the rank that wrote it  a committed checkpoint with holes
the manifest                           a committed checkpoint without a readable manifest
the draft's folder, before its rename  a committed checkpoint whose files have no names
the folder, after the rename           a save that returned, and a checkpoint that is not there
the lock, before it gets its name      a lock that nobody can read, so nobody can take over
the folder, before retention deletes   a checkpoint that seems damaged, while it was being deleted
=====================================  =============================================================

There is no other fsync, because none other protects anything. In particular the folder is not
synced after a draft is made (the rename needs no durable draft), nor after `latest` moved (it moves
once what it leads to is durable, and nobody trusts it), nor when a run goes back to an earlier
checkpoint (every attempt takes away again what a crash brought back).
"""

from __future__ import annotations

import contextlib
import errno
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sunk_jobs.checkpoint import lock
from sunk_jobs.checkpoint.errors import CheckpointError, SaveFailed
from sunk_jobs.checkpoint.files import Files, Sink, remove_tree, write_durably
from sunk_jobs.checkpoint.group import Group
from sunk_jobs.checkpoint.lock import Holder
from sunk_jobs.checkpoint.manifest import (
    LATEST,
    MANIFEST,
    MANIFEST_DRAFT,
    About,
    Draft,
    Manifest,
    ShardFile,
    damaged_name,
    draft_name,
    dump_manifest,
    file_of,
    step_name,
    trash_name,
)
from sunk_jobs.checkpoint.reading import Damage, intact_manifest, read_manifest, steps_in
from sunk_jobs.checkpoint.shards import Shards, checked, content_of, write_shard


def utc_now() -> str:
    """Return the time of day, RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def new_nonce() -> str:
    """Return a name that nobody else has."""
    return uuid.uuid4().hex[:16]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where checkpoints of a run go, and who writes them.

    Attributes:
        files: the file operations.
        folder: of the checkpoints; it exists.
        me: this attempt, the same on all ranks.
        now: the time of day, for people.
        nonce: makes names that nobody else has.
    """

    files: Files
    folder: Path
    me: Holder
    now: Callable[[], str] = utc_now
    nonce: Callable[[], str] = new_nonce


@dataclass(frozen=True)
class _Outcome:
    """What came of one rank's part."""

    shards: tuple[ShardFile, ...] = ()
    draft: str = ""
    manifest: Manifest | None = None
    problem: str | None = None


def save(place: Place, group: Group, step: int, shards: Shards, about: About) -> Manifest:
    """Save one checkpoint: on all ranks, or on none. Collective.

    Returns:
        The manifest, once the checkpoint is durable.

    Raises:
        SaveFailed: on every rank, with each rank's reason; nothing was committed, and what was
            written is left as a draft.
    """
    draft = _agreed(step, group.broadcast(_attempted(group, lambda: _begin(place, step)))).draft
    folder = place.folder / draft
    mine = _guarded(lambda: _Outcome(shards=_write(place.files, folder, group.rank, shards)))
    everyone = group.all_gather(mine)
    problems = [f"rank {at}: {one.problem}" for at, one in enumerate(everyone) if one.problem]
    if problems:
        raise SaveFailed(f"save step {step}: {'; '.join(problems)}")
    files = tuple(shard for one in everyone for shard in one.shards)

    def commit() -> _Outcome:
        manifest = Manifest(
            step=step,
            world=group.size,
            run_id=place.me.run_id,
            job_id=place.me.job_id,
            attempt=place.me.attempt,
            created=place.now(),
            files=files,
            about=about,
        )
        return _Outcome(manifest=_commit(place, folder, manifest))

    done = _agreed(step, group.broadcast(_attempted(group, commit))).manifest
    assert done is not None
    return done


def _attempted(group: Group, act: Callable[[], _Outcome]) -> _Outcome:
    """Do rank 0's part; the others have nothing to do and nothing to say."""
    return _guarded(act) if group.rank == 0 else _Outcome()


def _guarded(act: Callable[[], _Outcome]) -> _Outcome:
    """Return what came of it: a rank that raised here would leave the others waiting for ever."""
    try:
        return act()
    except CheckpointError as exc:
        return _Outcome(problem=str(exc))
    except OSError as exc:
        name = errno.errorcode.get(exc.errno or 0, "")
        return _Outcome(problem=f"{exc.strerror or exc} {exc.filename or ''} {name}".strip())
    except Exception as exc:  # noqa: BLE001 - a shard that writes itself may raise anything
        return _Outcome(problem=f"{type(exc).__name__}: {exc}")


def _agreed(step: int, outcome: _Outcome) -> _Outcome:
    if outcome.problem is not None:
        raise SaveFailed(f"save step {step}: rank 0: {outcome.problem}")
    return outcome


def _begin(place: Place, step: int) -> _Outcome:
    _still_ours(place)
    me = place.me
    name = draft_name(Draft(step, me.job_id, me.attempt, place.nonce()))
    place.files.make_folder(place.folder / name)
    return _Outcome(draft=name)


def _still_ours(place: Place) -> None:
    if not lock.holds(place.files, place.folder, place.me):
        raise SaveFailed(f"{place.folder} is no longer ours: its lock was taken over")


def _write(files: Files, folder: Path, rank: int, shards: Shards) -> tuple[ShardFile, ...]:
    done = []
    for name in sorted(checked(shards)):
        descriptor = files.create(folder / file_of(name, rank))
        try:
            sink = Sink(files, descriptor)
            write_shard(shards[name], sink)
            files.sync(descriptor)
        finally:
            files.close(descriptor)
        done.append(
            ShardFile(
                name=name,
                rank=rank,
                size_bytes=sink.written.size_bytes,
                sha256=sink.written.sha256,
                content=content_of(shards[name]),
            )
        )
    return tuple(done)


def _commit(place: Place, draft: Path, manifest: Manifest) -> Manifest:
    files, folder = place.files, place.folder
    write_durably(files, draft / MANIFEST_DRAFT, [dump_manifest(manifest).encode()])
    files.rename(draft / MANIFEST_DRAFT, draft / MANIFEST)
    files.sync_folder(draft)
    _still_ours(place)
    done = _publish(place, draft, manifest)
    files.sync_folder(folder)
    with contextlib.suppress(OSError):  # a file system may have no symbolic links
        point_latest(files, folder, step_name(manifest.step), place.nonce())
    return done


def _publish(place: Place, draft: Path, manifest: Manifest) -> Manifest:
    """Give a draft its name; what has it already is kept if it is the same, never removed."""
    target = place.folder / step_name(manifest.step)
    try:
        place.files.rename(draft, target)
    except OSError as exc:
        if exc.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    else:
        return manifest
    there = intact_manifest(place.files, place.folder, manifest.step)
    if isinstance(there, Damage) and not there.certain:
        raise SaveFailed(f"{target} exists and cannot be read: {there.reason}")
    if isinstance(there, Damage):
        set_aside(place.files, place.folder, target.name, place.nonce())
        place.files.rename(draft, target)
        return manifest
    if not there.same_state(manifest):
        raise SaveFailed(f"{target} exists, is whole, and holds another state")
    remove_tree(place.files, draft)
    return there


def set_aside(files: Files, folder: Path, name: str, nonce: str) -> None:
    """Take a damaged checkpoint out of the way, for a person to look at."""
    files.rename(folder / name, folder / damaged_name(name, nonce))


def set_aside_after(place: Place, step: int, attempt: int) -> tuple[int, ...] | CheckpointError:
    """Take checkpoints after a step, of attempts before another, out of the way, newest first.

    `latest` may then lead nowhere: nobody trusts it, and the next save moves it.
    """
    files, folder = place.files, place.folder
    gone = []
    try:
        for later in steps_in(files, folder):
            manifest = read_manifest(files, folder, later)
            if later <= step or isinstance(manifest, Damage) or manifest.attempt >= attempt:
                continue
            set_aside(files, folder, step_name(later), place.nonce())
            gone.append(later)
    except OSError as exc:
        return CheckpointError(f"go back to step {step} in {folder}: {exc.strerror or exc}")
    return tuple(gone)


def point_latest(files: Files, folder: Path, name: str, nonce: str) -> None:
    """Let `latest` lead to a checkpoint, which is durable."""
    draft = folder / f".{LATEST}-{nonce}"
    files.symlink(draft, name)
    files.rename(draft, folder / LATEST)


def retire(files: Files, folder: Path, names: Sequence[str], nonce: str) -> None:
    """Delete checkpoints: out of sight first, durably, then their files."""
    moved = []
    for name in names:
        aside = folder / trash_name(name, nonce)
        files.rename(folder / name, aside)
        moved.append(aside)
    files.sync_folder(folder)
    for aside in moved:
        remove_tree(files, aside)
