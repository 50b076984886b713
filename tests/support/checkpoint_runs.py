"""Runs that save checkpoints, with ranks as threads, and what must be true of any folder after."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sunk_jobs.checkpoint import Alone, Files, Options, Store, ThreadRank, thread_ranks
from sunk_jobs.checkpoint.errors import CheckpointError
from sunk_jobs.checkpoint.group import Group
from sunk_jobs.checkpoint.lock import load_holder
from sunk_jobs.checkpoint.manifest import LATEST, LOCK, Kind, kind_of
from sunk_jobs.checkpoint.reading import Damage, intact_manifest, newest, steps_in
from tests.support.crash_states import Operation, Recorder

TIME = "2026-01-01T00:00:00Z"


def state(step: int, rank: int) -> bytes:
    """What a rank saves at a step: no two are alike, nor parts of each other."""
    return f"<state of step {step} on rank {rank}>".encode()


def options(files: Files, **more: Any) -> Options:
    """Options with names and times that are the same in every run."""
    count = itertools.count()
    return Options(files=files, now=lambda: TIME, nonce=lambda: f"{next(count):016x}", **more)


def on_ranks(size: int, act: Callable[[ThreadRank], Any]) -> list[Any]:
    """Run `act` as every rank of a group, and return what each returned or raised."""
    results: list[Any] = [None] * size

    def run(rank: ThreadRank) -> None:
        try:
            results[rank.rank] = act(rank)
        except threading.BrokenBarrierError as exc:
            results[rank.rank] = exc
        except Exception as exc:  # noqa: BLE001 - a rank that ends would leave the others waiting
            results[rank.rank] = exc
            if not isinstance(exc, CheckpointError):
                rank.leave()

    threads = [threading.Thread(target=run, args=(one,)) for one in thread_ranks(size)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return results


def record(
    folder: Path, ranks: int, steps: Sequence[int], leave_out: int | None = None
) -> list[Operation]:
    """Save these steps for real and return every file operation; a sync may be left out."""
    files = Recorder(folder, leave_out)

    def run(rank: Group) -> None:
        with Store(folder, group=rank, run_id="r", job_id="7", options=options(files)) as store:
            for step in steps:
                store.save(step, {"state": state(step, rank.rank)})
                if rank.rank == 0:
                    files.mark(step)

    for failed in on_ranks(ranks, run):
        assert failed is None, failed
    return files.operations


def violation(files: Files, folder: Path, durable: int | None, begun: int | None) -> str | None:
    """Return what a folder breaks of what was promised; None if nothing.

    Args:
        files: to read with.
        folder: of the checkpoints, as a crash left it.
        durable: newest step that a save reported; None: no save did.
        begun: newest step that was begun; None: none was.
    """
    try:
        found = newest(files, folder, Alone(), droppable=["state"])
    except CheckpointError as exc:
        return f"loading: {exc}"
    if found is None:
        return None if durable is None else f"step {durable} was durable, and nothing is there"
    if found.step not in {durable, begun}:
        return f"step {durable} was durable and {begun} begun, and {found.step} is loaded"
    for one in found.manifest.files:
        if found.read(one.name, one.rank) != state(found.step, one.rank):
            return f"step {found.step} holds another state on rank {one.rank}"
    return _damage(files, folder) or _misled(files, folder)


def _damage(files: Files, folder: Path) -> str | None:
    for step in steps_in(files, folder):
        whole = intact_manifest(files, folder, step)
        if isinstance(whole, Damage):
            return f"a crash left damage: {whole}"
    return None


def _misled(files: Files, folder: Path) -> str | None:
    names = files.names(folder)
    if LATEST in names:
        target = files.read_link(folder / LATEST)
        if kind_of(target) is not Kind.STEP or target not in names:
            return f"{LATEST} leads to {target}, which is not there"
    if LOCK in names:
        try:
            with files.open(folder / LOCK) as file:
                load_holder(file.read())
        except ValueError as exc:
            return f"{LOCK}: {exc}"
    return None


def promised(done: Sequence[Operation]) -> tuple[int | None, int | None]:
    """Return the newest step reported as durable, and the newest begun, after some operations."""
    durable = max((one.step for one in done if one.verb == "mark"), default=None)
    begun = [
        int(one.path[len("step_") :].partition(".")[0])
        for one in done
        if one.verb == "make_folder" and one.path.startswith("step_")
    ]
    return durable, max(begun, default=None)


def opened(folder: Path, group=None, **more) -> Store:
    return Store(folder, group=group, run_id="r", **{"job_id": "7", **more})


def filled(folder: Path, steps=(10, 20), ranks: int = 2, **more) -> None:
    def run(rank):
        with opened(folder, rank, **more) as store:
            for step in steps:
                store.save(step, {"state": state(step, rank.rank)})

    assert on_ranks(ranks, run) == [None] * ranks


def loaded(folder: Path, ranks: int = 2) -> list:
    """Return what each rank loads: step and state, or the error."""

    def run(rank):
        with opened(folder, rank) as store:
            found = store.load_latest()
            return found and (found.step, found.read("state", rank.rank))

    return on_ranks(ranks, run)


def is_step(step: int, ranks: int = 2) -> list:
    return [(step, state(step, rank)) for rank in range(ranks)]
