"""What the programs' harness costs over a bare loop of the same calls; runs on compute nodes.

``inside.py mpi|torch|train``, as ranks: rank 0 prints the ratio of times, both taken in turns in
this process. Imports `sunk_jobs` only.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sunk_jobs.measuring.bandwidth import Collective, shape_of
from sunk_jobs.measuring.collective_bench import Ranks, sampled

ROUNDS = 15
SIZE_BYTES = 1 << 20
CALLS, SAMPLES, STEPS = 10, 5, 5


def ratio(harness: Callable[[], float], bare: Callable[[], float]) -> float:
    """Seconds of one over the other: the median of pairs measured one after the other."""
    found = []
    for number in range(ROUNDS + 1):
        # Who is first changes from round to round: the machine warms up, or slows down.
        order = (harness, bare) if number % 2 else (bare, harness)
        seconds = {act: act() for act in order}
        if number:
            found.append(seconds[harness] / seconds[bare])
    return statistics.median(found)


def of_collectives(ranks: Ranks) -> float:
    """What the harness reports for a call, over what a call takes in a bare loop."""
    shape = shape_of(Collective.ALL_REDUCE, SIZE_BYTES, ranks.size, ranks.element_bytes)
    call = ranks.exchange(Collective.ALL_REDUCE, shape).call

    def harness() -> float:
        return statistics.median(sampled(ranks, call, calls=CALLS, samples=SAMPLES))

    def bare() -> float:
        found = []
        for _ in range(SAMPLES):
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            found.append((time.perf_counter() - start) / CALLS)
        return statistics.median(found)

    return ratio(harness, bare)


def mpi() -> tuple[int, float]:
    from mpi4py import MPI

    from sunk_jobs.measuring.mpi_ranks import MpiRanks

    ranks = MpiRanks(MPI, MPI.COMM_WORLD, "float32")
    return ranks.rank, of_collectives(ranks)


def torch() -> tuple[int, float]:
    from sunk_jobs.torchlib.ranks import TorchRanks
    from sunk_jobs.torchlib.world import joined

    with joined("gloo", 300) as world:
        return world.rank, of_collectives(TorchRanks(world, "float32"))


def train() -> tuple[int, float]:
    """One rank: with more, the machine's two cores measure each other."""
    import torch.distributed as dist

    from sunk_jobs.checkpoint import StopRequest
    from sunk_jobs.outputs.run_files import StepLog
    from sunk_jobs.torchlib.trainer import Learner, Loop, Progress, StepMeeting
    from sunk_jobs.torchlib.world import joined
    from sunk_jobs.training import options as train_options

    run = tempfile.mkdtemp()
    words = ("--run", run, "--steps", "100000", "--precision", "float32", "--batch", "8")
    options, _ = train_options.read(train_options.parser("bench", ""), words)
    with joined("gloo", 300) as world:
        learner = Learner("ddp", options, world)
        meeting = StepMeeting(dist.group.WORLD, world.device)
        stop = StopRequest(meeting, flag_file=options.save_flag)
        log = StepLog(Path(run), world.rank, 0)
        loop = Loop(options, learner, None, meeting, stop, log, Progress())  # type: ignore[arg-type]

        def harness() -> float:
            return seconds_of(loop.one_step)

        def step() -> None:
            loop.progress.step += 1
            loss = learner.step(loop.progress.step)
            dist.all_reduce(loss)
            loss.item()

        return world.rank, ratio(harness, lambda: seconds_of(step))


def seconds_of(step: Callable[[], object]) -> float:
    """CPU seconds of all threads: a step waits for nobody here, and others use the machine too."""
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return time.process_time() - start


if __name__ == "__main__":
    rank, found = {"mpi": mpi, "torch": torch, "train": train}[sys.argv[1]]()
    if rank == 0:
        print(found)
