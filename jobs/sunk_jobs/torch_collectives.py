"""Bandwidth of torch's collectives over NCCL or gloo, each result checked.

All-reduce, all-gather, reduce-scatter, all-to-all, and a matrix of all pairs of ranks. Run it as
``torchrun … -m sunk_jobs.torch_collectives``. Without a GPU it uses gloo, so that the same program
can be tried anywhere; on GPUs times are the GPU's own. Rank 0 writes a table to stderr, and as the
last line of stdout one line of JSON.

Exit codes: 0 every element everywhere is right; 1 some are not; 2 usage; 93 torch is missing, or
the number of ranks does not fit: the same job would fail again.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from sunk_jobs import exit_codes
from sunk_jobs.measuring import collective_bench as bench
from sunk_jobs.outputs.records import write_result
from sunk_jobs.outputs.results import TORCH_COLLECTIVES, line_of, record_of
from sunk_jobs.torchrun import become_ranks

WRONG = 1
TIMEOUT_SECONDS = 300.0
TYPES = ("float32", "bfloat16")


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="sunk_jobs.torch_collectives",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.add_options(made, TYPES)
    made.add_argument("--backend", default="auto", choices=("auto", "nccl", "gloo"))
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Measure on this rank and return the exit code, which is the same on all ranks."""
    given = sys.argv[1:] if words is None else list(words)
    reader = parser()
    options = reader.parse_args(given)
    plan = bench.plan_of(reader, options)
    if options.selftest:
        become_ranks("sunk_jobs.torch_collectives", given)
    try:
        import torch  # noqa: PLC0415 - only the torch environment has it

        from sunk_jobs.torchlib.ranks import TorchRanks  # noqa: PLC0415
        from sunk_jobs.torchlib.world import joined  # noqa: PLC0415
    except ImportError as exc:
        sys.stderr.write(f"torch_collectives: {exc}; run it with a Python that has torch\n")
        return exit_codes.DO_NOT_RESTART
    with joined(options.backend, TIMEOUT_SECONDS) as world:
        ranks = TorchRanks(world, options.type)
        if said := bench.refusal(plan, ranks.size, ranks.element_bytes, options.ranks):
            if ranks.rank == 0:
                sys.stderr.write(f"torch_collectives: {said}\n")
            return exit_codes.DO_NOT_RESTART
        measured = bench.measure(ranks, plan)
        result = bench.result_of(
            TORCH_COLLECTIVES,
            plan,
            measured,
            hosts=ranks.all_gather(os.environ.get("SLURMD_NODENAME") or platform.node()),
            library=f"torch {torch.__version__} {world.backend}",
            element_type=options.type,
        )
    if ranks.rank == 0:
        sys.stderr.writelines(f"{line}\n" for line in bench.table(result.rows))
        if options.folder is not None:
            write_result(Path(options.folder), record_of(result))
        sys.stdout.write(line_of(result) + "\n")
    return exit_codes.FINISHED if result.correct else WRONG


if __name__ == "__main__":
    sys.exit(main())
