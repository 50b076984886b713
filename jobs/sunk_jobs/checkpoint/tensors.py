"""Named tensors that any number of ranks can load, whoever saved them.

A rank saves *chunks*: boxes of global tensors, as an FSDP or tensor-parallel layout gives it. Each
file says of each chunk which box of which tensor it is, so that a rank of another layout reads the
boxes it needs from whatever files have them. A replicated tensor need be saved by one rank only.

The files are in the safetensors format, with the boxes in its metadata under ``chunks``; other
programs can read a rank's file as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from sunk_jobs.checkpoint import boxes
from sunk_jobs.checkpoint.boxes import Box
from sunk_jobs.checkpoint.errors import FormatError, Incompatible
from sunk_jobs.checkpoint.files import Buffer
from sunk_jobs.checkpoint.manifest import Content
from sunk_jobs.checkpoint.reading import Checkpoint
from sunk_jobs.checkpoint.shards import Arena, Takes

DTYPE_BYTES: Mapping[str, int] = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "U32": 4,
    "F32": 4,
    "I64": 8,
    "U64": 8,
    "F64": 8,
}
"""Bytes of an element, by the format's names of types."""
_METADATA = "__metadata__"
_HEADER_BYTES_MAX = 100 * 2**20
"""The format's own limit."""


class Source(Protocol):
    """Where a chunk's bytes are, when they are not in this process's memory as bytes."""

    @property
    def size_bytes(self) -> int:
        """How many bytes there are."""
        ...

    def read(self) -> Buffer:
        """Return the bytes."""
        ...

    def copy_into(self, target: memoryview) -> None:
        """Copy the bytes; the copy may still be under way when this returns, see `settle`."""
        ...

    def settle(self) -> None:
        """Return once every copy that was begun is there."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunk:
    """A box of a global tensor.

    Attributes:
        tensor: the tensor's name.
        dtype: a key of `DTYPE_BYTES`.
        shape: of the whole tensor; empty for a scalar.
        box: which part of it this is.
        data: its elements in row-major order, little-endian.
    """

    tensor: str
    dtype: str
    shape: tuple[int, ...]
    box: Box
    data: Buffer | Source

    @property
    def size_bytes(self) -> int:
        """Bytes that the box takes."""
        return self.box.elements * DTYPE_BYTES[self.dtype]


def whole_chunk(tensor: str, dtype: str, shape: tuple[int, ...], data: Buffer) -> Chunk:
    """Return a chunk that is the whole tensor."""
    return Chunk(tensor=tensor, dtype=dtype, shape=shape, box=Box.whole(shape), data=data)


class Tensors:
    """A shard of chunks; pass it to `Store.save` under one name on all ranks.

    Raises:
        FormatError: a chunk's box, type and bytes do not fit each other.
    """

    content = Content.TENSORS

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        for one in chunks:
            _check(one)
        self._chunks = sorted(chunks, key=lambda one: (one.tensor, one.box.offsets))

    def write_to(self, sink: Takes) -> None:
        """Write the header and every chunk."""
        sink.write(_header(self._chunks))
        for one in self._chunks:
            sink.write(one.data if isinstance(one.data, _BYTES) else one.data.read())

    def copied(self, arena: Arena) -> Tensors:
        """Return the same chunks with their bytes in the arena."""
        memory = arena.take(sum(one.size_bytes for one in self._chunks))
        at, copies = 0, []
        for one in self._chunks:
            target = memory[at : at + one.size_bytes]
            at += one.size_bytes
            if isinstance(one.data, _BYTES):
                target[:] = memoryview(one.data).cast("B")
            else:
                one.data.copy_into(target)
            copies.append(
                Chunk(tensor=one.tensor, dtype=one.dtype, shape=one.shape, box=one.box, data=target)
            )
        for one in self._chunks:
            if not isinstance(one.data, _BYTES):
                one.data.settle()
        return Tensors(copies)


@dataclass(frozen=True)
class Stored:
    """A chunk in a file: who wrote it, and where its bytes begin there."""

    rank: int
    dtype: str
    shape: tuple[int, ...]
    box: Box
    start: int


class TensorReader:
    """The tensors that all ranks of a checkpoint saved under one name of a shard.

    Args:
        checkpoint: what to read.
        name: the shard's.

    Raises:
        Incompatible: no rank saved such a shard.
        FormatError: a file does not follow the format.
    """

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        self._checkpoint = checkpoint
        self._name = name
        ranks = checkpoint.ranks_of(name)
        if not ranks:
            raise Incompatible(f"read {name} in {checkpoint.folder}: no such shard")
        self._stored: dict[str, list[Stored]] = {}
        for rank in ranks:
            with checkpoint.open(name, rank) as file:
                for tensor, one in _index(file, rank, f"{checkpoint.folder.name}/{name}"):
                    self._add(tensor, one)

    def _add(self, tensor: str, one: Stored) -> None:
        known = self._stored.setdefault(tensor, [])
        if any((one.dtype, one.shape) != (other.dtype, other.shape) for other in known[:1]):
            raise FormatError(f"read tensor {tensor}: ranks disagree on its type or shape")
        # A replica that another rank saved too adds nothing.
        if all(one.box != other.box for other in known):
            known.append(one)

    def tensors(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return the type and global shape of each tensor, by name."""
        return {name: (found[0].dtype, found[0].shape) for name, found in self._stored.items()}

    def read(self, tensor: str, box: Box | None = None) -> bytearray:
        """Return a box of a tensor, or all of it, in row-major order.

        Raises:
            Incompatible: there is no such tensor, the box is not inside it, or nobody saved some
                of its elements.
        """
        if tensor not in self._stored:
            raise Incompatible(f"read tensor {tensor} of {self._name}: no such tensor")
        dtype, shape = self._stored[tensor][0].dtype, self._stored[tensor][0].shape
        wanted = box or Box.whole(shape)
        if not wanted.inside(shape):
            raise Incompatible(f"read tensor {tensor}: {wanted} is not inside {list(shape)}")
        target = bytearray(wanted.elements * DTYPE_BYTES[dtype])
        self._fill(tensor, wanted, memoryview(target), DTYPE_BYTES[dtype])
        return target

    def _fill(self, tensor: str, wanted: Box, target: memoryview, item_bytes: int) -> None:
        found = 0
        taken: list[Box] = []
        for one in self._stored[tensor]:
            common = one.box.common(wanted)
            if common is None:
                continue
            if any(common.common(other) is not None for other in taken):
                raise FormatError(f"read tensor {tensor}: chunks overlap at {common}")
            taken.append(common)
            found += common.elements
            with self._checkpoint.open(self._name, one.rank) as file:
                for source_at, target_at, count in boxes.runs(one.box, wanted, common):
                    file.seek(one.start + source_at * item_bytes)
                    end = (target_at + count) * item_bytes
                    _read_into(file, target[target_at * item_bytes : end], tensor)
        if found != wanted.elements:
            raise Incompatible(
                f"read tensor {tensor}: {found} of {wanted.elements} elements of {wanted} saved"
            )


_BYTES = (bytes, bytearray, memoryview)


def _check(one: Chunk) -> None:
    if one.dtype not in DTYPE_BYTES:
        raise FormatError(f"save tensor {one.tensor}: type {one.dtype} is none of the format's")
    if one.tensor == _METADATA:
        raise FormatError(f"save tensor {one.tensor}: the format needs that name for itself")
    if not one.box.inside(one.shape):
        raise FormatError(f"save tensor {one.tensor}: {one.box} is not inside {list(one.shape)}")
    given = one.data.size_bytes if not isinstance(one.data, _BYTES) else memoryview(one.data).nbytes
    if given != one.size_bytes:
        raise FormatError(
            f"save tensor {one.tensor}: {given} bytes for {one.box} of {one.dtype}, "
            f"which takes {one.size_bytes}"
        )


def _header(chunks: Sequence[Chunk]) -> bytes:
    header: dict[str, Any] = {}
    described = {}
    at = 0
    for one in chunks:
        key = one.tensor
        while key in header:
            key += "+"
        end = at + one.size_bytes
        header[key] = {
            "dtype": one.dtype,
            "shape": list(one.box.lengths),
            "data_offsets": [at, end],
        }
        described[key] = [one.tensor, list(one.shape), list(one.box.offsets)]
        at = end
    header[_METADATA] = {"chunks": json.dumps(described)}
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _index(file: BinaryIO, rank: int, name: str) -> Iterator[tuple[str, Stored]]:
    length = int.from_bytes(file.read(8), "little")
    if length > _HEADER_BYTES_MAX:
        raise FormatError(f"read {name} of rank {rank}: a header of {length} bytes")
    try:
        header = json.loads(file.read(length))
        described = json.loads(header.pop(_METADATA)["chunks"])
        for key, one in header.items():
            tensor, shape, offsets = described[key]
            box = Box(tuple(offsets), tuple(one["shape"]))
            start = 8 + length + one["data_offsets"][0]
            if DTYPE_BYTES[one["dtype"]] * math.prod(box.lengths) != (
                one["data_offsets"][1] - one["data_offsets"][0]
            ):
                raise FormatError(f"read {name} of rank {rank}: {key} does not have its length")
            yield tensor, Stored(rank, one["dtype"], tuple(shape), box, start)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as exc:
        raise FormatError(f"read {name} of rank {rank}: {type(exc).__name__}: {exc}") from exc


def _read_into(file: BinaryIO, target: memoryview, tensor: str) -> None:
    while target:
        count = file.readinto(target)  # type: ignore[attr-defined]  # BinaryIO lacks it
        if not count:
            raise FormatError(f"read tensor {tensor}: the file ends within it")
        target = target[count:]
