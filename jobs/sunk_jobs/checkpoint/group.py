"""How the ranks of a run talk while they save and load: four collectives, and who is there.

Every method is collective: all ranks call the same ones in the same order.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

T = TypeVar("T")


class Group(Protocol):
    """The ranks that save and load together."""

    @property
    def rank(self) -> int:
        """This rank, from 0."""
        ...

    @property
    def size(self) -> int:
        """How many ranks there are."""
        ...

    def barrier(self) -> None:
        """Return once every rank has called it."""
        ...

    def broadcast(self, value: T) -> T:
        """Return rank 0's value on every rank; the others' values are not looked at."""
        ...

    def all_gather(self, value: T) -> list[T]:
        """Return every rank's value, in the order of the ranks."""
        ...

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - it is the value, not a switch
        """Say whether the flag is up on some rank."""
        ...

    def twin(self) -> Group:
        """Return a second group of the same ranks, to be used from another thread."""
        ...


class Alone:
    """A group of one rank."""

    rank = 0
    size = 1

    def barrier(self) -> None:
        """Return at once."""

    def broadcast(self, value: T) -> T:
        """Return the value."""
        return value

    def all_gather(self, value: T) -> list[T]:
        """Return the value as the only one."""
        return [value]

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - see Group
        """Return the flag."""
        return flag

    def twin(self) -> Alone:
        """Return itself: there is nobody to confuse."""
        return self


class _Table:
    """Where the threads of a group lay their values down; `meet` ends when all have."""

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.barrier = threading.Barrier(size)
        self.twins: dict[int, _Table] = {}
        self.lock = threading.Lock()


class ThreadRank:
    """A rank that is a thread of this process; see `thread_ranks`."""

    def __init__(self, rank: int, size: int, table: _Table) -> None:
        self.rank = rank
        self.size = size
        self._table = table
        self._twins_made = 0

    def barrier(self) -> None:
        """Return once every thread has called it."""
        self._table.barrier.wait()

    def broadcast(self, value: T) -> T:
        """Return rank 0's value."""
        return self.all_gather(value)[0]

    def all_gather(self, value: T) -> list[T]:
        """Return every thread's value."""
        self._table.values[self.rank] = value
        self._table.barrier.wait()
        found = list(self._table.values)
        self._table.barrier.wait()
        return cast("list[T]", found)

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - see Group
        """Say whether the flag is up on some thread."""
        return any(self.all_gather(flag))

    def twin(self) -> ThreadRank:
        """Return this rank's place in the next twin of the group."""
        with self._table.lock:
            table = self._table.twins.setdefault(self._twins_made, _Table(self.size))
        self._twins_made += 1
        return ThreadRank(self.rank, self.size, table)

    def leave(self) -> None:
        """Break the group: ranks that wait, or will, get `threading.BrokenBarrierError`."""
        self._table.barrier.abort()


def thread_ranks(size: int) -> Sequence[ThreadRank]:
    """Return the ranks of a new group, one for each thread that is to take part."""
    table = _Table(size)
    return [ThreadRank(rank, size, table) for rank in range(size)]
