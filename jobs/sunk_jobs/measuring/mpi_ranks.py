"""The collectives of MPI on arrays of numbers; needs a communicator of mpi4py, imports none."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sunk_jobs.measuring import patterns
from sunk_jobs.measuring.bandwidth import Collective, Shape

CODES = {"float32": "f", "float64": "d"}
"""Type codes of `array`."""
_CLEARED = -1.0
"""No value of a pattern."""


def tiled(code: str, cycle: Sequence[int], elements: int) -> array[float]:
    """Return a buffer of repeated periods."""
    period: array[float] = array(code, cycle)
    return (period * (elements // len(period) + 1))[:elements]


def wrong_elements(got: Sequence[float], wanted: Sequence[float]) -> int:
    """Return how many elements differ (or are missing)."""
    if isinstance(got, array) and isinstance(wanted, array) and got.tobytes() == wanted.tobytes():
        return 0
    differing = sum(1 for left, right in zip(got, wanted, strict=False) if left != right)
    return differing + abs(len(got) - len(wanted))


class MpiExchange:
    """A collective with its buffers.

    Attributes:
        call: do it once.
    """

    def __init__(
        self, call: Callable[[], object], receive: array[float], wanted: array[float]
    ) -> None:
        self.call = call
        self._receive = receive
        self._wanted = wanted

    def wrong_elements(self) -> int:
        """Do it once into a cleared buffer, and count."""
        self._receive[:] = array(self._receive.typecode, [_CLEARED]) * len(self._receive)
        self.call()
        return wrong_elements(self._receive, self._wanted)


class MpiLink:
    """One direction of a pair of ranks."""

    def __init__(self, world: Any, datatype: Any, peer: int, buffer: array[float]) -> None:
        self._world = world
        self._peer = peer
        self._message = [buffer, datatype]
        self._buffer = buffer
        self._word = bytearray(1)
        self.wanted: array[float] | None = None

    def send(self) -> None:
        """Send the message."""
        self._world.Send(self._message, dest=self._peer)

    def receive(self) -> None:
        """Receive it."""
        self._world.Recv(self._message, source=self._peer)

    def acknowledge(self) -> None:
        """Say that all came."""
        self._world.Send(self._word, dest=self._peer)

    def acknowledged(self) -> None:
        """Wait for that."""
        self._world.Recv(self._word, source=self._peer)

    def wrong_elements(self) -> int:
        """Compare the last message."""
        return 0 if self.wanted is None else wrong_elements(self._buffer, self.wanted)


class MpiRanks:
    """A communicator.

    Args:
        mpi: the module ``mpi4py.MPI``.
        world: a communicator of it.
        element_type: a key of `CODES`.
    """

    def __init__(self, mpi: Any, world: Any, element_type: str) -> None:
        self._mpi = mpi
        self._world = world
        self._code = CODES[element_type]
        self._datatype = {"f": mpi.FLOAT, "d": mpi.DOUBLE}[self._code]
        self.rank: int = world.Get_rank()
        self.size: int = world.Get_size()
        self.element_bytes = array(self._code).itemsize

    def exchange(self, collective: Collective, shape: Shape) -> MpiExchange:
        """Return a collective with buffers of this shape."""
        send = self._sent(collective, shape)
        receive: array[float] = array(
            self._code, bytes(shape.receive_elements * self.element_bytes)
        )
        outgoing, incoming = [send, self._datatype], [receive, self._datatype]
        match collective:
            case Collective.ALL_REDUCE:
                call = partial(self._world.Allreduce, outgoing, incoming, op=self._mpi.SUM)
            case Collective.ALL_GATHER:
                call = partial(self._world.Allgather, outgoing, incoming)
            case Collective.REDUCE_SCATTER:
                reduce = self._world.Reduce_scatter_block
                call = partial(reduce, outgoing, incoming, op=self._mpi.SUM)
            case Collective.ALL_TO_ALL:
                call = partial(self._world.Alltoall, outgoing, incoming)
            case Collective.PAIRWISE:
                raise ValueError("a pair is a link, not an exchange")
        return MpiExchange(call, receive, self._wanted(collective, shape))

    def link(self, peer: int, *, sending: bool, elements: int) -> MpiLink:
        """Return one direction of a pair."""
        if sending:
            content = self._tiled(patterns.moved(self.rank, peer), elements)
            return MpiLink(self._world, self._datatype, peer, content)
        empty: array[float] = array(self._code, [_CLEARED]) * elements
        made = MpiLink(self._world, self._datatype, peer, empty)
        made.wanted = self._tiled(patterns.moved(peer, self.rank), elements)
        return made

    def barrier(self) -> None:
        """Wait for all."""
        self._world.Barrier()

    def seconds(self, call: Callable[[], object], calls: int) -> float:
        """Return the time of one of so many calls in a row."""
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - start) / calls

    def all_gather(self, value: Any) -> list[Any]:
        """Return everybody's value, by rank."""
        gathered: list[Any] = self._world.allgather(value)
        return gathered

    def _tiled(self, cycle: Sequence[int], elements: int) -> array[float]:
        return tiled(self._code, cycle, elements)

    def _sent(self, collective: Collective, shape: Shape) -> array[float]:
        if collective in {Collective.ALL_REDUCE, Collective.REDUCE_SCATTER}:
            return self._tiled(patterns.contribution(self.rank, self.size), shape.send_elements)
        if collective is Collective.ALL_GATHER:
            return self._tiled(patterns.moved(self.rank), shape.send_elements)
        parts: array[float] = array(self._code)
        for peer in range(self.size):
            parts += self._tiled(patterns.moved(self.rank, peer), shape.part_elements)
        return parts

    def _wanted(self, collective: Collective, shape: Shape) -> array[float]:
        if collective is Collective.ALL_REDUCE:
            return self._tiled(patterns.total(self.size), shape.receive_elements)
        if collective is Collective.REDUCE_SCATTER:
            cycle = patterns.rotated(patterns.total(self.size), self.rank * shape.part_elements)
            return self._tiled(cycle, shape.receive_elements)
        parts: array[float] = array(self._code)
        for peer in range(self.size):
            destination = 0 if collective is Collective.ALL_GATHER else self.rank
            parts += self._tiled(patterns.moved(peer, destination), shape.part_elements)
        return parts
