"""torch for the checkpoint library: its process groups, and its state as chunks of tensors.

Importing this module needs no torch; its functions do.

::

    group = torch_group()
    with Store(folder, group=group, ..., options=Options(allocate=host_memory)) as store:
        found = store.load_latest(droppable=["rng"])
        if found is not None:
            load_state(state, TensorReader(found, "state"))
        ...
        store.save_async(step, {"state": tensors_of(state), "rng": rng_bytes()})

`state` is a mapping of names to tensors, as ``model.state_dict()`` and a flattened
``get_optimizer_state_dict`` give it. A `DTensor` is saved by the ranks that have its parts; every
other tensor counts as replicated, and rank 0 saves it.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sunk_jobs.checkpoint.boxes import Box
from sunk_jobs.checkpoint.errors import Incompatible
from sunk_jobs.checkpoint.files import Buffer
from sunk_jobs.checkpoint.tensors import Chunk, TensorReader, Tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int16": "I16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "float32": "F32",
    "int64": "I64",
    "float64": "F64",
}
"""torch's names of types -> the file format's."""


class TorchGroup:
    """A process group of torch; its tensors and objects travel through host memory (gloo)."""

    def __init__(self, process_group: Any) -> None:
        import torch.distributed as dist  # noqa: PLC0415 - torch only where it is used

        self._group = process_group
        self.rank: int = dist.get_rank(process_group)
        self.size: int = dist.get_world_size(process_group)

    def barrier(self) -> None:
        """Return once every rank has called it."""
        import torch.distributed as dist  # noqa: PLC0415

        dist.barrier(group=self._group)

    def broadcast(self, value: T) -> T:
        """Return rank 0's value on every rank."""
        import torch.distributed as dist  # noqa: PLC0415

        held = [value if self.rank == 0 else None]
        dist.broadcast_object_list(
            held, src=dist.get_global_rank(self._group, 0), group=self._group
        )
        return cast("T", held[0])

    def all_gather(self, value: T) -> list[T]:
        """Return every rank's value."""
        import torch.distributed as dist  # noqa: PLC0415

        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self._group)
        return found

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - see Group
        """Say whether the flag is up on some rank: one all-reduce of one number."""
        import torch  # noqa: PLC0415
        import torch.distributed as dist  # noqa: PLC0415

        held = torch.tensor(int(flag), dtype=torch.int32)
        dist.all_reduce(held, op=dist.ReduceOp.MAX, group=self._group)
        return bool(held.item())

    def twin(self) -> TorchGroup:
        """Return a new gloo group of the same ranks, for another thread."""
        import torch.distributed as dist  # noqa: PLC0415

        ranks = dist.get_process_group_ranks(self._group)
        return TorchGroup(dist.new_group(ranks, backend="gloo"))


def torch_group() -> TorchGroup:
    """Return a new gloo group of all ranks; `torch.distributed` is initialised. Collective."""
    import torch.distributed as dist  # noqa: PLC0415

    return TorchGroup(dist.new_group(backend="gloo"))


def host_memory(size_bytes: int) -> memoryview:
    """Return host memory for copies; pinned where there is a GPU, to copy at full rate."""
    import torch  # noqa: PLC0415

    memory = torch.empty(size_bytes, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
    return memoryview(memory.numpy())  # keeps the tensor alive


class TensorSource:
    """The bytes of a tensor, wherever it is."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor.detach().contiguous()
        self.size_bytes: int = self._tensor.numel() * self._tensor.element_size()

    def _bytes(self) -> Any:
        import torch  # noqa: PLC0415

        return self._tensor.reshape(-1).view(torch.uint8)

    def read(self) -> Buffer:
        """Return the bytes, in host memory."""
        return memoryview(self._bytes().cpu().numpy())

    def copy_into(self, target: memoryview) -> None:
        """Begin to copy the bytes."""
        import torch  # noqa: PLC0415

        if self.size_bytes:
            held = torch.frombuffer(target, dtype=torch.uint8)
            held.copy_(self._bytes(), non_blocking=True)

    def settle(self) -> None:
        """Wait for the GPU's copies."""
        import torch  # noqa: PLC0415

        if self._tensor.is_cuda:
            torch.cuda.current_stream(self._tensor.device).synchronize()


def tensors_of(state: Mapping[str, Any], rank: int | None = None) -> Tensors:
    """Return this rank's part of a state as a shard.

    Args:
        state: tensors by name.
        rank: this rank; `torch.distributed` knows it by default.
    """
    return Tensors([one for name, tensor in state.items() for one in _chunks(name, tensor, rank)])


def load_state(state: Mapping[str, Any], reader: TensorReader) -> None:
    """Fill a state's tensors, in place, from whatever layout saved them.

    Raises:
        Incompatible: a tensor is missing there, or has another shape or type.
    """
    import torch  # noqa: PLC0415

    stored = reader.tensors()
    for name, tensor in state.items():
        local, shape, box = _layout(tensor)
        wanted = (_dtype(tensor), shape)
        if name not in stored or stored[name] != wanted:
            raise Incompatible(
                f"load tensor {name}: wanted {wanted[0]} {list(shape)}, "
                f"saved is {stored.get(name, 'nothing')}"
            )
        if box.elements == 0:
            continue
        found = torch.frombuffer(reader.read(name, box), dtype=local.dtype).reshape(box.lengths)
        with torch.no_grad():
            local.copy_(found)


def rng_bytes() -> bytes:
    """Return the state of this rank's random number generators: Python's, torch's, the GPU's."""
    import random  # noqa: PLC0415

    import torch  # noqa: PLC0415

    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return pickle.dumps((random.getstate(), torch.get_rng_state(), cuda))


def set_rng(raw: bytes) -> None:
    """Set this rank's random number generators to what `rng_bytes` returned.

    The bytes are unpickled: only those of a checkpoint of your own.
    """
    import random  # noqa: PLC0415

    import torch  # noqa: PLC0415

    python, cpu, cuda = pickle.loads(raw)  # noqa: S301 - a file of the run's own
    random.setstate(python)
    torch.set_rng_state(cpu)
    if cuda is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(cuda)


def _chunks(name: str, tensor: Any, rank: int | None) -> Iterator[Chunk]:
    local, shape, box = _layout(tensor)
    if not _saves(tensor, rank) or (box.elements == 0 and shape and 0 not in shape):
        return
    yield Chunk(tensor=name, dtype=_dtype(tensor), shape=shape, box=box, data=TensorSource(local))


def _saves(tensor: Any, rank: int | None) -> bool:
    """Say whether this rank is the one that saves its part; the first of those that have it."""
    import torch.distributed as dist  # noqa: PLC0415

    if not hasattr(tensor, "device_mesh"):
        mine = rank if rank is not None else (dist.get_rank() if dist.is_initialized() else 0)
        return mine == 0
    coordinate = tensor.device_mesh.get_coordinate()
    return coordinate is not None and all(
        at == 0 or not placement.is_replicate()
        for at, placement in zip(coordinate, tensor.placements, strict=True)
    )


def _layout(tensor: Any) -> tuple[Any, tuple[int, ...], Box]:
    """Return the local part of a tensor, the global shape, and which box the part is."""
    if not hasattr(tensor, "device_mesh"):
        return tensor, tuple(tensor.shape), Box.whole(tensor.shape)
    from torch.distributed.tensor._utils import (  # noqa: PLC0415 - as torch's own checkpoints do
        compute_local_shape_and_global_offset,
    )

    lengths, offsets = compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements
    )
    box = Box(tuple(offsets), tuple(lengths))
    return tensor.to_local(), tuple(tensor.shape), box


def _dtype(tensor: Any) -> str:
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _DTYPES:
        raise Incompatible(f"save a tensor of type {name}: the file format has none such")
    return _DTYPES[name]
