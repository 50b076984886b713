"""What the training programs can be told; checked before anything heavy is imported."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk_jobs.checkpoint.retention import KEEP_MIN

PRECISIONS = ("float32", "bfloat16")
NOT_FINITE = ("stop", "rollback")


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A GPT.

    Attributes:
        layers: transformer blocks.
        width: of the residual stream.
        heads: of attention, in each block.
        context: tokens that it sees at most.
        vocabulary: tokens that there are.
    """

    layers: int
    width: int
    heads: int
    context: int
    vocabulary: int


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What to train, and where.

    Attributes:
        run: the run's folder.
        attempt: how often the job was requeued before.
        save_flag: appears when the run is to save and end.
        steps: step to end at.
        checkpoint_every: steps between checkpoints; 0 for the last step's only.
        keep: checkpoints that stay.
        shape: of the model.
        batch: samples of a step, over all ranks.
        tokens: file of token numbers; nothing for synthetic ones.
        token_bytes: of each number in it, little-endian.
        seed: of weights and data order.
        learning_rate: its peak, after the warm-up.
        precision: of parameters and activations in forward and backward passes.
        reduce: of gradients on their way between ranks.
        compile: back end of torch.compile; empty for none.
        shard_ranks: ranks that share one copy of the model; 0 for all (FSDP2).
        backend: ``auto``, ``nccl`` or ``gloo``.
        timeout_seconds: of collectives.
        on_not_finite: ``stop`` for good at such a loss, or ask for a ``rollback``.
        deterministic: the same bits in each run, at some cost on GPUs.
    """

    run: Path
    attempt: int
    save_flag: Path
    steps: int
    checkpoint_every: int
    keep: int
    shape: ModelShape
    batch: int
    tokens: Path | None
    token_bytes: int
    seed: int
    learning_rate: float
    precision: str
    reduce: str
    compile: str
    shard_ranks: int
    backend: str
    timeout_seconds: float
    on_not_finite: str
    deterministic: bool


def learning_rate(step: int, options: TrainOptions) -> float:
    """Return the rate of a step: up for a hundredth of the steps, then down a cosine to a tenth.

    A function of the step alone, so that a resumed run needs no state of a schedule.
    """
    warmup = max(1, options.steps // 100)
    if step <= warmup:
        return options.learning_rate * step / warmup
    done = (step - warmup) / max(1, options.steps - warmup)
    return options.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, done))))


def unfit(options: TrainOptions, world: int) -> str | None:
    """Return why so many ranks cannot train this; nothing when they can."""
    if options.batch % world:
        return f"--batch {options.batch} cannot be split over {world} ranks: wanted a multiple"
    if options.shard_ranks and world % options.shard_ranks:
        return f"--shard-ranks {options.shard_ranks} does not divide {world} ranks"
    return None


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """Return what reads the command line of a training program."""
    made = argparse.ArgumentParser(
        prog=f"sunk_jobs.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--run", type=Path, default=Path(), metavar="DIR", help="the run's folder [default: here]")
    add("--attempt", type=int, help="of this run [default: SLURM_RESTART_COUNT, or 0]")
    add("--save-flag", type=Path, metavar="FILE", help="[default: RUN/control/save.ATTEMPT]")
    add("--steps", type=int, default=100, help="step to end at [default: 100]")
    add("--checkpoint-every", type=int, default=0, metavar="STEPS", help="[default: at the end]")
    add("--keep", type=int, default=2, metavar="COUNT", help="checkpoints that stay [default: 2]")
    add("--layers", type=int, default=4)
    add("--width", type=int, default=128)
    add("--heads", type=int, default=4)
    add("--context", type=int, default=128, metavar="TOKENS")
    add("--vocabulary", type=int, default=256, metavar="TOKENS")
    add("--batch", type=int, default=16, metavar="SAMPLES", help="of a step, over all ranks")
    add("--tokens", type=Path, metavar="FILE", help="token numbers [default: synthetic ones]")
    add("--token-bytes", type=int, default=2, choices=(1, 2, 4), help="of each [default: 2]")
    add("--seed", type=int, default=0, help="of weights and data order")
    add("--learning-rate", type=float, default=1e-3)
    add("--precision", choices=PRECISIONS, default="bfloat16", help="[default: %(default)s]")
    add("--reduce", choices=PRECISIONS, default="float32", help="of gradients between ranks")
    add("--compile", default="", metavar="BACKEND", help="torch.compile with it, e.g. inductor")
    add("--shard-ranks", type=int, default=0, metavar="COUNT", help="FSDP2: that share a copy")
    add("--backend", choices=("auto", "nccl", "gloo"), default="auto")
    add("--timeout-seconds", type=float, default=300.0, help="of collectives [default: 300]")
    add("--on-not-finite", choices=NOT_FINITE, default=NOT_FINITE[0], help="[default: %(default)s]")
    add("--deterministic", action=argparse.BooleanOptionalAction, default=True)
    add("--selftest", action="store_true", help="train, resume, compare: two ranks, seconds")
    return made


def read(made: argparse.ArgumentParser, words: Sequence[str]) -> tuple[TrainOptions, bool]:
    """Return the options, and whether it is a self-test; ends the program when they are wrong."""
    given = made.parse_args(words)
    _check(made, given)
    attempt = given.attempt
    if attempt is None:
        restarts = os.environ.get("SLURM_RESTART_COUNT", "")
        attempt = int(restarts) if restarts.isdigit() else 0
    shape = ModelShape(
        layers=given.layers,
        width=given.width,
        heads=given.heads,
        context=given.context,
        vocabulary=given.vocabulary,
    )
    same = {
        name: getattr(given, name)
        for name in TrainOptions.__dataclass_fields__
        if name not in {"attempt", "save_flag", "shape"}
    }
    flag = given.save_flag or given.run / "control" / f"save.{attempt}"
    return TrainOptions(**same, attempt=attempt, save_flag=flag, shape=shape), given.selftest


def _check(made: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    for name in ("steps", "layers", "width", "heads", "context", "vocabulary", "batch"):
        if getattr(given, name) < 1:
            made.error(f"--{name} {getattr(given, name)}: must be at least 1")
    for name in ("checkpoint_every", "shard_ranks"):
        if getattr(given, name) < 0:
            made.error(f"--{name.replace('_', '-')} {getattr(given, name)}: must be at least 0")
    if given.keep < KEEP_MIN:
        made.error(f"--keep {given.keep}: must be at least {KEEP_MIN}, as one can be damaged")
    if given.attempt is not None and given.attempt < 0:
        made.error(f"--attempt {given.attempt}: must be at least 0")
    if given.width % given.heads:
        made.error(f"--width {given.width} is no multiple of --heads {given.heads}")
    if given.tokens is not None and given.vocabulary > 1 << 8 * given.token_bytes:
        made.error(
            f"--vocabulary {given.vocabulary}: numbers of {given.token_bytes} bytes end before"
        )
    if not given.timeout_seconds > 0 or not given.learning_rate > 0:
        made.error("--timeout-seconds and --learning-rate must be positive")
