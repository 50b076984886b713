"""Kill a rank that saves, at each of its file operations, and look at what it left; a program.

``python -m tests.support.killed_writers FOLDER RANKS`` forks the ranks as processes, kills one of
them with SIGKILL at its N-th operation (a write half done), lets the others run as far as they get
without it, and then does what the next attempt does: takes the folder over, loads, and saves. It
prints a line of JSON with how often each rank was killed and what was wrong.

A program of its own, because it forks: the process that runs the tests has threads.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sunk_jobs.checkpoint import Files, Options, Store, gone_from_here
from tests.support.checkpoint_runs import on_ranks, options, state, violation

BEFORE = (10, 20)
STEP = 30
"""Retires the first of those before."""
NEXT_STEP = 40
_READS = {"names", "is_folder", "size_bytes", "open", "read_link"}
_WRITES = {"create", "write", "sync", "close", "sync_folder", "make_folder", "rename", "link"}
POINTS = sorted(_READS | _WRITES | {"symlink", "unlink", "remove_folder"})


class PipeRank:
    """A rank that is a process; rank 0 has a pipe to each of the others."""

    def __init__(self, rank: int, size: int, pipes: list[tuple[Connection, Connection]]) -> None:
        self.rank, self.size = rank, size
        # Whoever keeps the other's end open never sees it close.
        for at, (hub, spoke) in enumerate(pipes, start=1):
            if rank != 0:
                hub.close()
            if rank != at:
                spoke.close()
        self._hubs = [hub for hub, _ in pipes] if rank == 0 else []
        self._spoke = pipes[rank - 1][1] if rank else None

    def all_gather(self, value: Any) -> list[Any]:
        if self._spoke is not None:
            self._spoke.send(value)
            return self._spoke.recv()
        found = [value, *(hub.recv() for hub in self._hubs)]
        for hub in self._hubs:
            hub.send(found)
        return found

    def broadcast(self, value: Any) -> Any:
        return self.all_gather(value)[0]

    def barrier(self) -> None:
        self.all_gather(None)

    def any(self, flag: bool) -> bool:
        return any(self.all_gather(flag))

    def twin(self) -> PipeRank:
        return self


class Mortal(Files):
    """Kills its process at the N-th operation; a write is half done by then."""

    def __init__(self, last: int) -> None:
        self.left = last

    def _count(self) -> bool:
        self.left -= 1
        return self.left == 0

    def write(self, descriptor, data):
        if self._count():
            super().write(descriptor, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(descriptor, data)


def _point(name: str) -> Any:
    def operation(self, *words):
        if self._count():
            os.kill(os.getpid(), signal.SIGKILL)
        # A kill proves no sync, and one takes long.
        return None if name in {"sync", "sync_folder"} else getattr(Files, name)(self, *words)

    return operation


for _name in POINTS:
    if _name != "write":
        setattr(Mortal, _name, _point(_name))


def write(folder: Path, group: Any, files: Files, reports: Connection, *, async_: bool) -> None:
    """Be one rank of the attempt that is killed."""
    with Store(
        folder, group=group, run_id="r", job_id="7", options=options(files), gone=gone_from_here
    ) as store:
        shards = {"state": bytearray(state(STEP, group.rank))}
        if async_:
            store.save_async(STEP, shards)
            shards["state"][:] = bytes(len(shards["state"]))
            store.wait()
        else:
            store.save(STEP, shards)
        if group.rank == 0:
            reports.send(STEP)


def run_killed(
    folder: Path, ranks: int, victim: int, last: int, *, async_: bool
) -> tuple[bool, int | None]:
    """Run all ranks as processes, one of which dies at its operation number `last`.

    Returns:
        Whether it came so far, and the step that was reported as durable.
    """
    pipes = [Pipe() for _ in range(1, ranks)]
    heard, reports = Pipe(duplex=False)
    children = []
    for rank in range(ranks):
        child = os.fork()
        if child == 0:
            os.close(2)  # what a rank says whose peer is gone
            files = Mortal(last if rank == victim else 0)
            try:
                group = PipeRank(rank, ranks, pipes)
                write(folder, group, files, reports, async_=async_)
            finally:
                os._exit(0)
        children.append(child)
    for end in (*(one for pair in pipes for one in pair), reports):
        end.close()
    status = [os.waitpid(child, 0)[1] for child in children]
    try:
        durable = heard.recv()
    except EOFError:
        durable = None
    heard.close()
    return os.WIFSIGNALED(status[victim]), durable


def successor(folder: Path, ranks: int) -> str | None:
    """Do what the next attempt does, and return what it cannot."""

    def run(group: Any) -> str | None:
        with Store(
            folder,
            group=group,
            run_id="r",
            job_id="7",
            attempt=1,
            gone=gone_from_here,
            options=Options(),
        ) as store:
            found = store.load_latest()
            if found is None or found.read("state", group.rank) != state(found.step, group.rank):
                return f"rank {group.rank} loaded {found and found.step}, and another state"
            store.save(NEXT_STEP, {"state": state(NEXT_STEP, group.rank)})
            after = store.load_latest()
            return None if after is not None and after.step == NEXT_STEP else "cannot save"

    return next((f"next attempt: {one}" for one in on_ranks(ranks, run) if one is not None), None)


def prepare(folder: Path, ranks: int) -> None:
    """Save what was there before, and leave the lock of a process that is dead."""

    def run(group: Any) -> None:
        with Store(folder, group=group, run_id="r", job_id="7") as store:
            for step in BEFORE:
                store.save(step, {"state": state(step, group.rank)})

    assert on_ranks(ranks, run) == [None] * ranks
    child = os.fork()
    if child == 0:
        Store(folder, run_id="r", job_id="7")
        os._exit(0)
    os.waitpid(child, 0)


def deaths(root: Path, ranks: int, *, async_: bool) -> Iterator[tuple[int, str | None]]:
    """Yield each death: whose, and what it broke."""
    base, folder = root / "base", root / "ckpt"
    prepare(base, ranks)
    for victim in range(ranks):
        last = 0
        while True:
            last += 1
            shutil.copytree(base, folder, symlinks=True)
            killed, durable = run_killed(folder, ranks, victim, last, async_=async_)
            wrong = violation(Files(), folder, durable or BEFORE[-1], STEP)
            wrong = wrong or successor(folder, ranks)
            shutil.rmtree(folder)
            if not killed:
                assert durable == STEP, "the run that nobody killed did not save"
                break
            yield victim, wrong and f"rank {victim}, operation {last}: {wrong}"


def main() -> int:
    root, ranks, async_ = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "async"
    found = list(deaths(root, ranks, async_=async_))
    counts = [sum(victim == rank for victim, _ in found) for rank in range(ranks)]
    print(json.dumps({"deaths": counts, "wrong": [wrong for _, wrong in found if wrong]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
