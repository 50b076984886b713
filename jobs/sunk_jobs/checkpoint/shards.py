"""What a rank gives to be saved, and how it is copied before an asynchronous save."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from sunk_jobs.checkpoint.errors import FormatError
from sunk_jobs.checkpoint.files import Buffer
from sunk_jobs.checkpoint.manifest import Content, checked_shard_name


class Takes(Protocol):
    """Something to write to."""

    def write(self, data: Buffer) -> int:
        """Take all of the data."""
        ...

    def flush(self) -> None:
        """Do what a file object would."""
        ...


@runtime_checkable
class Whole(Protocol):
    """A shard that knows itself, such as `sunk_jobs.checkpoint.tensors.Tensors`."""

    content: Content

    def write_to(self, sink: Takes) -> None:
        """Write all of its bytes."""
        ...

    def copied(self, arena: Arena) -> Whole:
        """Return a copy that lives in the arena and shares nothing with this one."""
        ...


Shard = Buffer | Callable[[Takes], object] | Whole
"""Bytes; or what writes itself to a file object, as ``lambda file: pickle.dump(state, file)``; or a
`Whole`."""
Shards = Mapping[str, Shard]
Allocate = Callable[[int], memoryview]


def plain_memory(size_bytes: int) -> memoryview:
    """Return writable memory of the process."""
    return memoryview(bytearray(size_bytes))


class Arena:
    """Memory for the copies of one save, kept for the next one: new pages cost more than copying.

    At most one asynchronous save is in flight, so one arena is enough.
    """

    def __init__(self, allocate: Allocate = plain_memory) -> None:
        self._allocate = allocate
        self._kept: dict[str, memoryview] = {}
        self._name = ""

    def named(self, name: str) -> Arena:
        """Return the arena, with the shard for which the next memory is taken."""
        self._name = name
        return self

    def take(self, size_bytes: int) -> memoryview:
        """Return memory of this size, the same as an earlier save had under this name."""
        kept = self._kept.get(self._name)
        if kept is None or len(kept) < size_bytes:
            kept = self._kept[self._name] = self._allocate(size_bytes)
        return kept[:size_bytes]


class _Memory:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: Buffer) -> int:
        """Keep a copy."""
        self.parts.append(bytes(data))
        return len(self.parts[-1])

    def flush(self) -> None:
        """Do nothing."""


def content_of(shard: Shard) -> Content:
    """Return what a shard is."""
    content: Content = getattr(shard, "content", Content.BYTES)
    return content


def write_shard(shard: Shard, sink: Takes) -> None:
    """Write all bytes of a shard."""
    if isinstance(shard, (bytes, bytearray, memoryview)):
        sink.write(shard)
    elif isinstance(shard, Whole):
        shard.write_to(sink)
    else:
        shard(sink)


def copied(shards: Shards, arena: Arena) -> dict[str, Shard]:
    """Return shards that share nothing with what the program goes on to change."""
    return {name: _copied(shard, arena.named(name)) for name, shard in shards.items()}


def checked(shards: Shards) -> Shards:
    """Return the shards.

    Raises:
        FormatError: a name that cannot be a file's, or a value that cannot be written.
    """
    for name, shard in shards.items():
        checked_shard_name(name)
        if not (isinstance(shard, (bytes, bytearray, memoryview, Whole)) or callable(shard)):
            raise FormatError(f"save shard {name}: {type(shard).__name__} is no bytes, no writer")
    return shards


def _copied(shard: Shard, arena: Arena) -> Shard:
    if isinstance(shard, bytes):
        return shard
    if isinstance(shard, (bytearray, memoryview)):
        source = memoryview(shard).cast("B")
        target = arena.take(len(source))
        target[:] = source
        return target
    if isinstance(shard, Whole):
        return shard.copied(arena)
    memory = _Memory()
    shard(memory)
    return b"".join(memory.parts)
