"""What the training programs do alike: from the command line to the exit code."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sunk_jobs import exit_codes
from sunk_jobs.checkpoint.errors import CheckpointError
from sunk_jobs.results import TrainResult, line_of
from sunk_jobs.run_files import read_losses
from sunk_jobs.torchrun import become_ranks
from sunk_jobs.train_options import ModelShape, TrainOptions, parser, read, unfit

if TYPE_CHECKING:
    from sunk_jobs.torchlib.world import World

SELF_TEST_SHAPE = ModelShape(layers=2, width=32, heads=2, context=16, vocabulary=64)


def run(kind: str, program: str, schema: str, description: str, words: Sequence[str]) -> int:
    """Train as the command line says and return the exit code, the same on all ranks.

    Args:
        kind: ``ddp`` or ``fsdp2``.
        program: name of the module, without its package.
        schema: of the result.
        description: for ``--help``.
        words: the command line.
    """
    options, is_selftest = read(parser(program, description), words)
    if is_selftest:
        become_ranks(f"sunk_jobs.{program}", words)
    if problem := missing_compiler(options):
        return _refused(program, problem)
    # Wanted by cuBLAS before anything of CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        from sunk_jobs.torchlib.tokens import TokensError  # noqa: PLC0415
        from sunk_jobs.torchlib.trainer import train  # noqa: PLC0415 - needs torch
        from sunk_jobs.torchlib.world import joined  # noqa: PLC0415
    except ImportError as exc:
        return _refused(program, f"{exc}; run it with a Python that has torch")
    with joined(options.backend, options.timeout_seconds) as world:
        if problem := unfit(options, world.size):
            return _refused(program, problem) if world.rank == 0 else exit_codes.DO_NOT_RESTART
        try:
            if is_selftest:
                result = _selftest(kind, schema, options, world)
            else:
                result = train(kind, schema, options, world)
        except (CheckpointError, TokensError) as exc:
            return _refused(program, str(exc))
    if world.rank == 0:
        sys.stdout.write(line_of(result) + "\n")
    return result.exit_code


def missing_compiler(options: TrainOptions) -> str | None:
    """Return what is missing for the wanted compilation; nothing when all is there."""
    if options.compile != "inductor" or os.environ.get("CXX"):
        return None
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return "--compile inductor: no C++ compiler (g++, clang++ or CXX) on this node"
    return None


def _refused(program: str, why: str) -> int:
    sys.stderr.write(f"{program}: {why}\n")
    return exit_codes.DO_NOT_RESTART


def _selftest(kind: str, schema: str, options: TrainOptions, world: World) -> TrainResult:
    """Train six steps straight, and again in two attempts: the losses must be the same bits."""
    import torch.distributed as dist  # noqa: PLC0415 - needs torch

    from sunk_jobs.torchlib.trainer import train  # noqa: PLC0415

    held = [tempfile.mkdtemp(prefix="sunk-selftest-") if world.rank == 0 else ""]
    dist.broadcast_object_list(held)
    folder = Path(held[0])
    small = replace(
        options,
        shape=SELF_TEST_SHAPE,
        batch=4 * world.size,
        steps=6,
        checkpoint_every=2,
        tokens=None,
        attempt=0,
    )

    def attempt(run: Path, number: int, steps: int) -> TrainResult:
        flag = run / "save"
        return train(
            kind,
            schema,
            replace(small, run=run, attempt=number, steps=steps, save_flag=flag),
            world,
        )

    try:
        straight = attempt(folder / "straight", 0, 6)
        attempt(folder / "resumed", 0, 4)
        resumed = attempt(folder / "resumed", 1, 6)
        dist.barrier()
        same = read_losses(folder / "straight") == read_losses(folder / "resumed")
        fine = same and resumed.resumed_from == 4 and straight.exit_code == 0
        dist.barrier()
    finally:
        if world.rank == 0:
            shutil.rmtree(folder, ignore_errors=True)
    return replace(straight, exit_code=0 if fine else 1)
