"""The collectives of torch.distributed on tensors, over NCCL or gloo."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist

from sunk_jobs.measuring import patterns
from sunk_jobs.measuring.bandwidth import Collective, Shape
from sunk_jobs.torchlib.world import World

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_CLEARED = -1.0
"""No value of a pattern."""


class TorchExchange:
    """A collective with its buffers.

    Attributes:
        call: do it once.
    """

    def __init__(
        self,
        call: Callable[[], object],
        receive: torch.Tensor,
        wanted: torch.Tensor,
        fill: Callable[[], object],
    ) -> None:
        self.call = call
        self._receive = receive
        self._wanted = wanted
        self._fill = fill

    def wrong_elements(self) -> int:
        """Do it once into a cleared buffer, and count."""
        self._receive.fill_(_CLEARED)
        self._fill()
        self.call()
        return int((self._receive != self._wanted).sum().item())


class TorchLink:
    """One direction of a pair of ranks."""

    def __init__(self, peer: int, buffer: torch.Tensor, wanted: torch.Tensor | None) -> None:
        self._peer = peer
        self._buffer = buffer
        self._wanted = wanted
        self._word = torch.zeros(1, dtype=torch.uint8, device=buffer.device)

    def send(self) -> None:
        """Send the message."""
        dist.send(self._buffer, self._peer)

    def receive(self) -> None:
        """Receive it."""
        dist.recv(self._buffer, self._peer)

    def acknowledge(self) -> None:
        """Say that all came."""
        dist.send(self._word, self._peer)

    def acknowledged(self) -> None:
        """Wait for that."""
        dist.recv(self._word, self._peer)

    def wrong_elements(self) -> int:
        """Compare the last message."""
        if self._wanted is None:
            return 0
        return int((self._buffer != self._wanted).sum().item())


class TorchRanks:
    """The ranks of the default process group.

    Args:
        world: this rank among them.
        element_type: a key of `TYPES`.
    """

    def __init__(self, world: World, element_type: str) -> None:
        self._world = world
        self._type = TYPES[element_type]
        self.rank = world.rank
        self.size = world.size
        self.element_bytes = torch.empty((), dtype=self._type).element_size()

    def exchange(self, collective: Collective, shape: Shape) -> TorchExchange:
        """Return a collective with buffers of this shape; torch's all-reduce is in place."""
        send = self._sent(collective, shape)
        wanted = self._wanted(collective, shape)
        if collective is Collective.ALL_REDUCE:
            buffer = send.clone()
            fill = partial(buffer.copy_, send)
            return TorchExchange(partial(dist.all_reduce, buffer), buffer, wanted, fill)
        receive = torch.empty(shape.receive_elements, dtype=self._type, device=send.device)
        act = {
            Collective.ALL_GATHER: dist.all_gather_into_tensor,
            Collective.REDUCE_SCATTER: dist.reduce_scatter_tensor,
            Collective.ALL_TO_ALL: dist.all_to_all_single,
        }[collective]
        return TorchExchange(partial(act, receive, send), receive, wanted, lambda: None)

    def link(self, peer: int, *, sending: bool, elements: int) -> TorchLink:
        """Return one direction of a pair."""
        if sending:
            return TorchLink(peer, self._tiled(patterns.moved(self.rank, peer), elements), None)
        wanted = self._tiled(patterns.moved(peer, self.rank), elements)
        return TorchLink(peer, torch.full_like(wanted, _CLEARED), wanted)

    def barrier(self) -> None:
        """Wait for all."""
        dist.barrier()

    def seconds(self, call: Callable[[], object], calls: int) -> float:
        """Return the time of one of so many calls in a row: by the GPU's own clock where it is."""
        if self._world.device.type != "cuda":
            start = time.perf_counter()
            for _ in range(calls):
                call()
            return (time.perf_counter() - start) / calls
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for _ in range(calls):
            call()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000 / calls

    def all_gather(self, value: Any) -> list[Any]:
        """Return everybody's value, by rank."""
        gathered: list[Any] = [None] * self.size
        dist.all_gather_object(gathered, value)
        return gathered

    def _tiled(self, cycle: Sequence[int], elements: int) -> torch.Tensor:
        period = torch.tensor(cycle, dtype=self._type, device=self._world.device)
        return period.repeat(elements // len(cycle) + 1)[:elements].contiguous()

    def _sent(self, collective: Collective, shape: Shape) -> torch.Tensor:
        if collective in {Collective.ALL_REDUCE, Collective.REDUCE_SCATTER}:
            return self._tiled(patterns.contribution(self.rank, self.size), shape.send_elements)
        if collective is Collective.ALL_GATHER:
            return self._tiled(patterns.moved(self.rank), shape.send_elements)
        parts = (patterns.moved(self.rank, peer) for peer in range(self.size))
        return torch.cat([self._tiled(cycle, shape.part_elements) for cycle in parts])

    def _wanted(self, collective: Collective, shape: Shape) -> torch.Tensor:
        if collective is Collective.ALL_REDUCE:
            return self._tiled(patterns.total(self.size), shape.receive_elements)
        if collective is Collective.REDUCE_SCATTER:
            cycle = patterns.rotated(patterns.total(self.size), self.rank * shape.part_elements)
            return self._tiled(cycle, shape.receive_elements)
        destination = 0 if collective is Collective.ALL_GATHER else self.rank
        parts = (patterns.moved(peer, destination) for peer in range(self.size))
        return torch.cat([self._tiled(cycle, shape.part_elements) for cycle in parts])
