"""mpi4py's interface, as far as the programs use it, over threads of this process."""

# ruff: noqa: N802 - mpi4py's names

from __future__ import annotations

import queue
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sunk_jobs.checkpoint import ThreadRank, thread_ranks

FLOAT, DOUBLE, SUM = "FLOAT", "DOUBLE", "SUM"


@dataclass
class World:
    """One rank of a communicator; `spoil` may change what it receives."""

    group: ThreadRank
    wires: dict[tuple[int, int], queue.Queue[Any]]
    spoil: Callable[[array[float]], None] = field(default=lambda _buffer: None)

    def Get_rank(self) -> int:
        return self.group.rank

    def Get_size(self) -> int:
        return self.group.size

    def Barrier(self) -> None:
        self.group.barrier()

    def allgather(self, value: Any) -> list[Any]:
        return self.group.all_gather(value)

    def Allreduce(self, send: Any, receive: Any, op: str) -> None:
        parts = self.group.all_gather(send[0])
        self._receive(receive, (sum(column) for column in zip(*parts, strict=True)))

    def Allgather(self, send: Any, receive: Any) -> None:
        self._receive(receive, (one for part in self.group.all_gather(send[0]) for one in part))

    def Reduce_scatter_block(self, send: Any, receive: Any, op: str) -> None:
        parts = [self._mine(part) for part in self.group.all_gather(send[0])]
        self._receive(receive, (sum(column) for column in zip(*parts, strict=True)))

    def Alltoall(self, send: Any, receive: Any) -> None:
        parts = self.group.all_gather(send[0])
        self._receive(receive, (one for part in parts for one in self._mine(part)))

    def Send(self, message: Any, dest: int) -> None:
        content = message[0] if isinstance(message, list) else message
        self.wires[self.group.rank, dest].put(content[:])

    def Recv(self, message: Any, source: int) -> None:
        content = self.wires[source, self.group.rank].get(timeout=30)
        if isinstance(message, list):
            self._receive(message, content)

    def _mine(self, part: array[float]) -> array[float]:
        share = len(part) // self.group.size
        return part[self.group.rank * share : (self.group.rank + 1) * share]

    def _receive(self, receive: Any, values: Any) -> None:
        buffer = receive[0]
        buffer[:] = array(buffer.typecode, values)
        self.spoil(buffer)


def on_threads(size: int, act: Callable[[World], Any]) -> list[Any]:
    """Return what each rank returned."""
    wires = {(a, b): queue.Queue() for a in range(size) for b in range(size)}
    worlds = [World(group, wires) for group in thread_ranks(size)]
    found: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            found[rank] = act(worlds[rank])
        except BaseException as exc:  # noqa: BLE001 - raised again by the test's own thread
            worlds[rank].group.leave()
            found[rank] = exc

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return found
