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
from sunk_jobs.outputs.results import TrainResult, line_of
from sunk_jobs.outputs.run_files import read_losses
from sunk_jobs.torchrun import become_ranks
from sunk_jobs.training.options import ModelShape, TrainOptions, parser, read, unfit

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
    """Train some steps straight, and again in two attempts: the losses must be the same bits."""
    import torch.distributed as dist  # noqa: PLC0415 - needs torch

    from sunk_jobs.torchlib.trainer import train  # noqa: PLC0415

    held = [tempfile.mkdtemp(prefix="sunk-selftest-") if world.rank == 0 else ""]
    dist.broadcast_object_list(held)
    folder = Path(held[0])
    asked = folder / "asked"  # is there from the start: the first attempt saves after one step
    if world.rank == 0:
        asked.touch()
    small = replace(
        options,
        shape=SELF_TEST_SHAPE,
        batch=4 * world.size,
        steps=6,
        checkpoint_every=4,
        tokens=None,
    )

    def attempt(name: str, number: int, flag: Path) -> TrainResult:
        run = folder / name
        return train(kind, schema, replace(small, run=run, attempt=number, save_flag=flag), world)

    try:
        straight = attempt("straight", 0, folder / "never")
        first = attempt("resumed", 0, asked)
        second = attempt("resumed", 1, folder / "never")
        same = read_losses(folder / "straight") == read_losses(folder / "resumed")
        # Every rank has read before rank 0 removes the files.
        verdicts: list[bool] = [False] * world.size
        dist.all_gather_object(verdicts, same)
    finally:
        if world.rank == 0:
            shutil.rmtree(folder, ignore_errors=True)
    codes = (straight.exit_code, first.exit_code, second.exit_code)
    wanted = (exit_codes.FINISHED, exit_codes.SAVED, exit_codes.FINISHED)
    fine = all(verdicts) and codes == wanted and second.resumed_from == 1
    return replace(straight, exit_code=exit_codes.FINISHED if fine else 1)
