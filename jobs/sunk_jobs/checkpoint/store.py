"""The folder of a run's checkpoints, as a training program uses it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from sunk_jobs.checkpoint import lock, reading, shards, writing
from sunk_jobs.checkpoint.errors import CheckpointError, Locked, SaveFailed, StorageBroken
from sunk_jobs.checkpoint.files import Files
from sunk_jobs.checkpoint.group import Alone, Group
from sunk_jobs.checkpoint.lock import Gone, Holder
from sunk_jobs.checkpoint.manifest import About, Manifest, checked_job_id, step_name
from sunk_jobs.checkpoint.proofs import this_process
from sunk_jobs.checkpoint.reading import Checkpoint, Damage
from sunk_jobs.checkpoint.retention import Retention, superseded
from sunk_jobs.checkpoint.shards import Allocate, Arena, Shards
from sunk_jobs.checkpoint.writing import Place

FAILURES_MAX = 3
"""Failed saves in a row after which going on only burns node hours."""


@dataclass(frozen=True)
class Options:
    """What a store rarely needs to be told.

    Attributes:
        files: the file operations.
        now: the time of day, for people.
        nonce: makes names that nobody else has.
        allocate: memory for the copies of asynchronous saves, such as pinned host memory.
        failures_max: failed saves in a row that end the run.
    """

    files: Files = field(default_factory=Files)
    now: Callable[[], str] = writing.utc_now
    nonce: Callable[[], str] = writing.new_nonce
    allocate: Allocate = shards.plain_memory
    failures_max: int = FAILURES_MAX


class Pending:
    """An asynchronous save; see `Store.save_async`.

    Attributes:
        step: what it saves.
        blocked_seconds: how long the program was held up by the copying.
    """

    def __init__(self, step: int, work: Callable[[], Manifest], blocked_seconds: float) -> None:
        self.step = step
        self.blocked_seconds = blocked_seconds
        self._manifest: Manifest | None = None
        self._error: BaseException | None = None
        # A daemon: a program that must end now may leave a save behind, as a draft.
        self._thread = threading.Thread(
            target=self._run, args=(work,), name=f"checkpoint-{step}", daemon=True
        )
        self._thread.start()

    def _run(self, work: Callable[[], Manifest]) -> None:
        try:
            self._manifest = work()
        except BaseException as exc:  # noqa: BLE001 - raised again by `result`
            self._error = exc

    @property
    def done(self) -> bool:
        """Whether this rank is through with it."""
        return not self._thread.is_alive()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until this rank is through with it, and say whether it is."""
        self._thread.join(timeout_seconds)
        return self.done

    def result(self) -> Manifest:
        """Wait, and return the manifest of what is durable now on all ranks.

        Raises:
            SaveFailed: nothing was committed.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._manifest is not None
        return self._manifest


class Store:
    """Saves and loads the checkpoints of one run.

    ::

        with Store(run / "ckpt", group=group, run_id="r1", job_id=job, attempt=attempt) as store:
            found = store.load_latest()
            step = 0 if found is None else found.step
            ...
            store.save(step, {"model": blob, "rng": rng}, About(tokens=tokens))

    Every method is collective: all ranks call the same ones in the same order. A method that
    raises a `CheckpointError` raises on all ranks.

    Args:
        folder: of the checkpoints, on a file system that all ranks share; made if need be.
        group: the ranks that save together.
        run_id: the chain of jobs that they belong to.
        attempt: ``SLURM_RESTART_COUNT``, 0 at first.
        job_id: Slurm's number of the job.
        retention: what to keep.
        gone: proof that another holder of the folder is gone; without it its lock stands.
        options: what it rarely needs to be told.

    Raises:
        Locked: another attempt has the folder.
        CheckpointError: the folder cannot be made or written.
    """

    def __init__(  # noqa: PLR0913 - each is one fact about the run, by keyword
        self,
        folder: Path,
        *,
        group: Group | None = None,
        run_id: str,
        attempt: int = 0,
        job_id: str = "0",
        retention: Retention | None = None,
        gone: Gone | None = None,
        options: Options | None = None,
    ) -> None:
        self._options = options or Options()
        self._group: Group = group or Alone()
        self._background: Group | None = None
        self._retention = retention or Retention()
        self._arena = Arena(self._options.allocate)
        self._pending: Pending | None = None
        self._failures = 0
        me = self._group.broadcast(self._myself(run_id, job_id, attempt))
        self._place = Place(
            files=self._options.files,
            folder=folder,
            me=me,
            now=self._options.now,
            nonce=self._options.nonce,
        )
        refused = self._group.broadcast(self._opened(gone) if self._group.rank == 0 else None)
        if refused is not None:
            raise refused

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error the ranks are no longer in step: no collective then, and the lock stays
        # for the next attempt, which proves that this one is gone.
        if kind is None:
            self.close()

    @property
    def folder(self) -> Path:
        """Where the checkpoints are."""
        return self._place.folder

    @property
    def failures(self) -> int:
        """How many saves in a row have failed."""
        return self._failures

    def save(self, step: int, shards_: Shards, about: About | None = None) -> Manifest:
        """Save, and return once the checkpoint is durable on all ranks.

        Args:
            step: training steps done.
            shards_: this rank's shards by name; a rank may have none.
            about: what the state is of; rank 0's counts.

        Raises:
            SaveFailed: nothing was committed; the program may go on, and save again later.
            StorageBroken: so many failed in a row that it should not.
        """
        self.wait()
        return self._counted(lambda: self._save(self._group, step, shards_, about))

    def save_async(self, step: int, shards_: Shards, about: About | None = None) -> Pending:
        """Copy the shards, and save them from another thread while the program goes on.

        At most one save is in flight: it waits for the one before. When it returns, nothing of
        the program's own memory is needed any more.

        Raises:
            SaveFailed, StorageBroken: the save *before* failed.
        """
        self.wait()
        if self._background is None:
            self._background = self._group.twin()
        start = time.perf_counter()
        # A copy that fails must not keep this rank from the collectives of the others.
        own = _copied(shards_, self._arena)
        blocked_seconds = time.perf_counter() - start
        group = self._background
        work = lambda: self._save(group, step, own, about)  # noqa: E731 - said once, used once
        self._pending = Pending(step, work, blocked_seconds)
        return self._pending

    def wait(self) -> Manifest | None:
        """Wait for the save in flight; return its manifest, or None when there is none.

        Raises:
            SaveFailed, StorageBroken: it failed.
        """
        pending, self._pending = self._pending, None
        return None if pending is None else self._counted(pending.result)

    def idle(self) -> bool:
        """Say whether no rank has a save in flight, so that `save_async` would not wait."""
        return not self._group.any(self._pending is not None and not self._pending.done)

    def load_latest(
        self, *, digests: bool = True, droppable: Sequence[str] = ()
    ) -> Checkpoint | None:
        """Return the newest whole checkpoint, the same on all ranks.

        Args:
            digests: read and check every byte; else only lengths.
            droppable: shards of single ranks, such as the RNG's, that the program can do without
                when it resumes on another world size.

        Returns:
            None if there is none at all: begin from scratch.

        Raises:
            NothingIntact: there are some, and all are damaged.
            Incompatible: this number of ranks cannot take it.
        """
        self.wait()
        return reading.newest(
            self._place.files, self.folder, self._group, digests=digests, droppable=droppable
        )

    def roll_back(self, step: int, attempt: int) -> tuple[int, ...]:
        """Take checkpoints after a step out of the way that attempts before this one made.

        They are kept for a person to look at, under another name. What later attempts saved on the
        way that they went instead stays, so every attempt may call it again.

        Args:
            step: the last that stays.
            attempt: the first that went back to it.

        Returns:
            The steps that were taken away, newest first.

        Raises:
            CheckpointError: one of them could not be taken away.
        """
        self.wait()
        gone = self._group.broadcast(
            writing.set_aside_after(self._place, step, attempt) if self._group.rank == 0 else None
        )
        assert gone is not None
        if isinstance(gone, CheckpointError):
            raise gone
        return gone

    def close(self) -> None:
        """Wait for the save in flight and give the folder back.

        Raises:
            SaveFailed: the save in flight failed; the folder is given back all the same.
        """
        try:
            self.wait()
        finally:
            self._group.barrier()
            if self._group.rank == 0:
                lock.release(self._place.files, self.folder, self._place.me)

    def _myself(self, run_id: str, job_id: str, attempt: int) -> Holder:
        return this_process(
            run_id=run_id,
            job_id=checked_job_id(job_id),
            attempt=attempt,
            taken=self._options.now(),
            nonce=self._options.nonce(),
        )

    def _opened(self, gone: Gone | None) -> CheckpointError | None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.take(self._place.files, self.folder, self._place.me, gone)
        except Locked as exc:
            return exc
        except OSError as exc:
            return CheckpointError(f"open {self.folder}: {exc.strerror}")
        return None

    def _counted(self, act: Callable[[], Manifest]) -> Manifest:
        try:
            done = act()
        except SaveFailed as exc:
            self._failures += 1
            if self._failures >= self._options.failures_max:
                raise StorageBroken(f"{exc}; {self._failures} saves in a row failed") from exc
            raise
        self._failures = 0
        return done

    def _save(self, group: Group, step: int, own: Shards, about: About | None) -> Manifest:
        done = writing.save(self._place, group, step, own, about or About())
        self._retain(group, done)
        return done

    def _retain(self, group: Group, newest: Manifest) -> None:
        """Delete what is superseded, once every rank has read the newest again and found it whole.

        Whatever goes wrong here costs space, not state: the next save tries again.
        """
        old = group.broadcast(self._superseded() if group.rank == 0 else [])
        if not old:
            return
        files, folder = self._place.files, self.folder
        share = newest.files[group.rank :: group.size]
        damage = reading.damage_of(files, folder, newest.step, share, digests=True)
        if not group.any(damage is not None) and group.rank == 0:
            with contextlib.suppress(OSError):  # what is left is trash, for the clean-up
                writing.retire(files, folder, list(map(step_name, old)), self._place.nonce())

    def _superseded(self) -> list[int]:
        files, folder = self._place.files, self.folder
        try:
            steps = reading.steps_in(files, folder)
        except OSError:
            return []
        whole = {
            step: not isinstance(
                reading.intact_manifest(files, folder, step, digests=False), Damage
            )
            for step in steps
        }
        return superseded(whole, self._retention)


def _copied(own: Shards, arena: Arena) -> Shards:
    try:
        return shards.copied(own, arena)
    except Exception as exc:  # noqa: BLE001 - a shard that copies itself may raise anything
        problem = exc

    def fail(_sink: object) -> None:
        raise problem

    return {"failed": fail}
