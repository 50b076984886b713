"""The same model spread in two ways: DDP keeps it whole on every rank, FSDP2 a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from sunk_jobs.torchlib.gpt import Gpt
from sunk_jobs.torchlib.world import World
from sunk_jobs.training.options import TrainOptions

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Spread:
    """A model on its ranks.

    Attributes:
        module: to be called.
        inner: the model itself, whose parameters have their plain names.
        mesh: sizes of the layout's dimensions, for the checkpoint's manifest.
        autocast: type of a forward pass whose parameters keep theirs; None for none.
    """

    module: nn.Module
    inner: nn.Module
    mesh: dict[str, int]
    autocast: torch.dtype | None

    def forward_context(self, device: torch.device) -> AbstractContextManager[object]:
        """Return what a forward pass runs in."""
        if self.autocast is None:
            return nullcontext()
        context: AbstractContextManager[object] = torch.autocast(device.type, dtype=self.autocast)
        return context

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield names and parameters, always in the same order."""
        yield from self.inner.named_parameters()


def built(options: TrainOptions, world: World) -> Gpt:
    """Return the model with the weights of its seed, the same on all ranks."""
    torch.manual_seed(options.seed)
    model = Gpt(options.shape)
    model.to(world.device)
    if options.compile:
        for block in model.blocks:
            block.compile(backend=options.compile)
    return model


def ddp(options: TrainOptions, world: World) -> Spread:
    """Return the model whole on every rank; parameters stay float32."""
    model = built(options, world)
    module = DistributedDataParallel(
        model, device_ids=[world.device.index] if world.device.type == "cuda" else None
    )
    if options.reduce == "bfloat16":
        module.register_comm_hook(dist.group.WORLD, bf16_compress_hook)
    autocast = None if options.precision == "float32" else _TYPES[options.precision]
    return Spread(module, model, {"replicate": world.size}, autocast)


def fsdp2(options: TrainOptions, world: World) -> Spread:
    """Return the model with each block's parameters sharded; gathered in the chosen precision."""
    model = built(options, world)
    shard = options.shard_ranks or world.size
    sizes = (world.size // shard, shard)
    mesh = init_device_mesh(world.device.type, sizes, mesh_dim_names=("replicate", "shard"))
    used = mesh["shard"] if sizes[0] == 1 else mesh
    policy = MixedPrecisionPolicy(
        param_dtype=_TYPES[options.precision], reduce_dtype=_TYPES[options.reduce]
    )
    for block in model.blocks:
        fully_shard(block, mesh=used, mp_policy=policy)
    fully_shard(model, mesh=used, mp_policy=policy)
    return Spread(model, model, {"replicate": sizes[0], "shard": sizes[1]}, None)


SPREADS = {"ddp": ddp, "fsdp2": fsdp2}
