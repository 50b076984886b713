"""The training loop: steps, what is written about them, checkpoints, and how it ends.

A run is a function of its options and the number of its ranks: an attempt that resumes from a
checkpoint goes on bit for bit as one that was never interrupted.
"""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist

from sunk_jobs import exit_codes
from sunk_jobs.checkpoint import (
    About,
    Checkpoint,
    Options,
    Retention,
    SaveFailed,
    Shards,
    StopRequest,
    StorageBroken,
    Store,
    any_of,
    gone_by_slurm,
    gone_from_here,
)
from sunk_jobs.checkpoint.tensors import TensorReader
from sunk_jobs.checkpoint.torch_adaptor import (
    TorchGroup,
    host_memory,
    load_state,
    rng_bytes,
    set_rng,
    tensors_of,
    torch_group,
)
from sunk_jobs.failures import rollback
from sunk_jobs.measuring.timing import percentile
from sunk_jobs.outputs.results import TrainResult
from sunk_jobs.outputs.run_files import StepLog
from sunk_jobs.torchlib.parallel import SPREADS, Spread
from sunk_jobs.torchlib.tokens import batch_of, tokens_of
from sunk_jobs.torchlib.world import World
from sunk_jobs.training.data_order import samples_of
from sunk_jobs.training.options import TrainOptions, learning_rate

STATE, RNG = "state", "rng"
"""Names of the shards."""
_OUTCOMES = {
    "finished": exit_codes.FINISHED,
    "saved": exit_codes.SAVED,
    "unsaved": exit_codes.SAVED_PARTIALLY,
    "diverged": exit_codes.DO_NOT_RESTART,
    "rollback": exit_codes.FAILED,
    "storage": exit_codes.DO_NOT_RESTART,
}


@dataclass
class Progress:
    """What one attempt did so far."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    saves: int = 0
    failed_saves: int = 0


class StepMeeting(TorchGroup):
    """The one meeting of all ranks at the end of a step: whether to stop, and the mean loss.

    A `StopRequest` over it asks for the first; the second comes with it, so that a step costs one
    small collective and not two.

    Attributes:
        loss: this rank's, to be set before each meeting.
        mean_loss: over ranks, after it.
    """

    def __init__(self, process_group: Any, device: torch.device) -> None:
        super().__init__(process_group)
        self.loss = torch.zeros((), device=device)
        self.mean_loss = math.nan

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - see checkpoint.Group
        """Say whether the flag is up on some rank, and note the mean loss."""
        sent = torch.stack((self.loss.double(), self.loss.new_tensor(float(flag)).double()))
        dist.all_reduce(sent)
        total, flags = sent.tolist()
        self.mean_loss = total / self.size
        return bool(flags)


class Learner:
    """Model, optimiser and data: what one step does, and the state between two steps."""

    def __init__(self, kind: str, options: TrainOptions, world: World) -> None:
        self._options = options
        self._world = world
        self.spread: Spread = SPREADS[kind](options, world)
        self._tokens = tokens_of(options)
        self._ways = rollback.rollbacks(options.run, options.attempt)
        parameters = [parameter for _, parameter in self.spread.parameters()]
        self._optimizer = torch.optim.AdamW(
            parameters, lr=options.learning_rate, betas=(0.9, 0.95), weight_decay=0.1
        )
        # Made now and not by the first step, so that a checkpoint has something to load into.
        for parameter in parameters:
            self._optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def step(self, number: int) -> torch.Tensor:
        """Do one step and return this rank's loss before it; it may still be on its way."""
        options, world = self._options, self._world
        data = rollback.data_step(number, self._ways)
        mine = samples_of(data, options.batch, world.size, world.rank)
        inputs, targets = (part.to(world.device) for part in batch_of(self._tokens, mine))
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(number, options)
        with self.spread.forward_context(world.device):
            loss: torch.Tensor = self.spread.module(inputs, targets)
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def state(self) -> dict[str, torch.Tensor]:
        """Return every tensor that has to survive, by name; they are the live ones."""
        named = dict(self.spread.parameters())
        state: dict[str, torch.Tensor] = {f"model.{name}": one for name, one in named.items()}
        for name, parameter in named.items():
            for key, value in self._optimizer.state[parameter].items():
                state[f"optimizer.{name}.{key}"] = value
        return state

    def samples_after(self, step: int) -> int:
        """Return the number of the first sample that no step until then has come to."""
        return rollback.data_step(step, self._ways) * self._options.batch

    @property
    def parameter_count(self) -> int:
        """How many numbers the model has, over all ranks."""
        return sum(parameter.numel() for _, parameter in self.spread.parameters())


def train(kind: str, schema: str, options: TrainOptions, world: World) -> TrainResult:
    """Train until the last step, or until somebody asks to stop; all ranks return the same code.

    Args:
        kind: ``ddp`` or ``fsdp2``.
        schema: of the result.
        options: what to train.
        world: the ranks.
    """
    if options.deterministic:
        torch.use_deterministic_algorithms(mode=True)
    learner = Learner(kind, options, world)
    group = torch_group()
    store = Store(
        options.run / "ckpt",
        group=group,
        run_id=options.run.resolve().name or "run",
        attempt=options.attempt,
        job_id=os.environ.get("SLURM_JOB_ID", "0"),
        retention=Retention(keep=options.keep),
        gone=any_of(gone_from_here, gone_by_slurm),
        options=Options(allocate=host_memory),
    )
    log = StepLog(options.run, world.rank, options.attempt)
    with store:
        _go_back(store, options, world)
        found = store.load_latest(droppable=[RNG])
        progress = Progress(step=0 if found is None else _resumed(found, learner, world))
        meeting = StepMeeting(dist.group.WORLD, world.device)
        stop = StopRequest(meeting, flag_file=options.save_flag).listen()
        outcome = Loop(options, learner, store, meeting, stop, log, progress).run()
    log.close()
    return _result(schema, options, world, learner, progress, outcome, found)


def _go_back(store: Store, options: TrainOptions, world: World) -> None:
    """Take away what the run went back from, in this attempt or one that did not come so far."""
    for way in rollback.rollbacks(options.run, options.attempt):
        gone = store.roll_back(way.step, way.attempt)
        if gone and world.rank == 0:
            sys.stderr.write(f"train: went back to step {way.step} from {max(gone)}\n")


def _resumed(found: Checkpoint, learner: Learner, world: World) -> int:
    """Load a checkpoint, and return its step."""
    load_state(learner.state(), TensorReader(found, STATE))
    if world.rank in found.ranks_of(RNG):
        set_rng(found.read(RNG, world.rank))
    if world.rank == 0:
        sys.stderr.write(f"train: resuming from {found.folder.name}\n")
        sys.stderr.writelines(f"train: skipped {one}\n" for one in found.skipped)
    return found.step


@dataclass
class Loop:
    """The steps of one attempt."""

    options: TrainOptions
    learner: Learner
    store: Store
    meeting: StepMeeting
    stop: StopRequest
    log: StepLog
    progress: Progress

    def run(self) -> str:
        """Do the steps and return the outcome."""
        while self.progress.step < self.options.steps:
            asked = self.one_step()
            if not math.isfinite(self.progress.losses[-1]):
                return self._diverged()
            if asked:
                return "saved" if self._save() else "unsaved"
            if self._due() and not self._save_meanwhile():
                return "storage"
        # An attempt that began at the end has nothing to save.
        return "finished" if not self.progress.losses or self._save() else "unsaved"

    def one_step(self) -> bool:
        """Do the next step, note it, and say whether some rank was asked to stop."""
        progress = self.progress
        start = time.perf_counter()
        self.meeting.loss = self.learner.step(progress.step + 1)
        asked = self.stop.agreed()
        progress.seconds.append(time.perf_counter() - start)
        progress.losses.append(self.meeting.mean_loss)
        progress.step += 1
        self.log.step(progress.step, self.meeting.mean_loss)
        return asked

    def _diverged(self) -> str:
        """Say that the loss is not finite, and to triage that the run can go back, if it may."""
        step, options = self.progress.step, self.options
        if self.meeting.rank == 0:
            sys.stderr.write(f"train: loss of step {step} is not finite\n")
        if options.on_not_finite != "rollback":
            return "diverged"
        with contextlib.suppress(SaveFailed):  # what was begun may still become durable
            self.store.wait()
        if self.meeting.rank == 0:
            rollback.note_not_finite(options.run, options.attempt, step)
        return "rollback"

    def _due(self) -> bool:
        every, step = self.options.checkpoint_every, self.progress.step
        return bool(every) and step % every == 0 and step < self.options.steps

    def _shards(self) -> Shards:
        return {STATE: tensors_of(self.learner.state()), RNG: rng_bytes()}

    def _about(self) -> About:
        step, options = self.progress.step, self.options
        return About(
            tokens=step * options.batch * options.shape.context,
            mesh=self.learner.spread.mesh,
            versions={"torch": torch.__version__},
            rng_shard=RNG,
            data_position={"seed": options.seed, "samples": self.learner.samples_after(step)},
        )

    def _save(self) -> bool:
        """Save, and say whether it is durable."""
        if not self._settle():
            return False
        try:
            self.store.save(self.progress.step, self._shards(), self._about())
        except SaveFailed as exc:
            self._failed(exc)
            return False
        self.progress.saves += 1
        return True

    def _save_meanwhile(self) -> bool:
        """Begin to save while training goes on, and say whether going on makes sense."""
        if not self._settle():
            return False
        self.store.save_async(self.progress.step, self._shards(), self._about())
        return True

    def _settle(self) -> bool:
        """Wait for the save in flight; False when so many failed that it is pointless."""
        try:
            if self.store.wait() is not None:
                self.progress.saves += 1
        except StorageBroken as exc:
            self._failed(exc)
            return False
        except SaveFailed as exc:
            self._failed(exc)
        return True

    def _failed(self, error: SaveFailed) -> None:
        self.progress.failed_saves += 1
        if self.meeting.rank == 0:
            sys.stderr.write(f"train: {error}\n")


def _result(
    schema: str,
    options: TrainOptions,
    world: World,
    learner: Learner,
    progress: Progress,
    outcome: str,
    found: Checkpoint | None,
) -> TrainResult:
    seconds = progress.seconds
    typical = statistics.median(seconds) if seconds else None
    first, last = (progress.losses[0], progress.losses[-1]) if seconds else (None, None)
    return TrainResult(
        schema=schema,
        outcome=outcome,
        exit_code=_OUTCOMES[outcome],
        attempt=options.attempt,
        ranks=world.size,
        backend=world.backend,
        first_step=progress.step - len(seconds) + 1,
        last_step=progress.step,
        steps=options.steps,
        resumed_from=None if found is None else found.step,
        first_loss=first,
        last_loss=last,
        parameters=learner.parameter_count,
        tokens_per_second=options.batch * options.shape.context / typical if typical else None,
        step_p50_seconds=typical,
        step_p99_seconds=percentile(seconds, 99) if seconds else None,
        saves=progress.saves,
        failed_saves=progress.failed_saves,
        job_id=os.environ.get("SLURM_JOB_ID", ""),
    )
