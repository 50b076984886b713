"""Time asynchronous saves of one state, ours and torch's, in turns; for a Python with torch.

Prints a line of JSON: medians, in seconds, of how long the training loop is held up, and how much
the state is. Torch's stager that keeps its memory needs a GPU's driver, so without one its default
stager is measured alone.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import FileSystemWriter

from sunk_jobs.checkpoint import Options, Store
from sunk_jobs.checkpoint.torch_adaptor import host_memory, tensors_of, torch_group

REPEATS = 9
TENSORS = 64
TENSOR_ELEMENTS = 2**20

Save = Callable[[int], Any]
"""Begins a save of a step; returns what can be waited for with ``result()``."""


def timed(save: Save, step: int) -> float:
    """Begin a save and return how long that took; then wait for it."""
    start = time.perf_counter()
    pending = save(step)
    blocked = time.perf_counter() - start
    pending.result()
    return blocked


def torchs(folder: Path, state: dict[str, torch.Tensor], *, cached: bool) -> Save:
    """Return torch's save; `cached` keeps the memory of the copies, as ours does."""
    writer = FileSystemWriter(folder, cache_staged_state_dict=True) if cached else None

    def save(step: int) -> Any:
        shutil.rmtree(folder, ignore_errors=True)
        if writer is None:
            return dcp.async_save(state, checkpoint_id=folder / str(step))
        writer.reset(folder / str(step))
        return dcp.async_save(state, storage_writer=writer)

    return save


def main() -> int:
    gpu = torch.cuda.is_available()
    folder = Path(tempfile.mkdtemp(prefix="sunk-bench-ckpt-", dir=sys.argv[1]))
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    device = "cuda" if gpu else "cpu"
    state = {f"w.{at}": torch.randn(TENSOR_ELEMENTS, device=device) for at in range(TENSORS)}
    options = Options(allocate=host_memory)
    store = Store(folder / "ours", group=torch_group(), run_id="bench", options=options)
    ways: dict[str, Save] = {
        "ours": lambda step: store.save_async(step, {"state": tensors_of(state)}),
        "torch": torchs(folder / "torch", state, cached=False),
    }
    if gpu:
        ways["torch, memory kept"] = torchs(folder / "kept", state, cached=True)
    found: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for step in range(REPEATS):
            for name, save in ways.items():
                found[name].append(timed(save, step))
        store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # The first of each makes its buffers.
    medians = {name: statistics.median(times[1:]) for name, times in found.items()}
    print(json.dumps({"seconds": medians, "mib": TENSORS * TENSOR_ELEMENTS * 4 / 2**20}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
