"""An MPI all-reduce that checks its own result.

Every rank contributes a vector whose sum is known in closed form; every rank compares every
element of what it got. Rank 0 writes one result and prints it. Run it as
``srun --mpi=pmix python3 -m sunk_jobs.allreduce``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sunk_jobs.measuring.bandwidth import Collective, bus_factor, gb_per_s
from sunk_jobs.measuring.mpi_ranks import tiled, wrong_elements
from sunk_jobs.outputs.records import write_result

_PERIOD = 97
"""Values repeat with a prime period, so that a shifted or torn buffer cannot look right."""


def contribution(rank: int, elements: int) -> array[float]:
    """Return the vector of one rank: ``(rank + 1) * (i mod 97)``, exact in doubles."""
    return tiled("d", [(rank + 1) * value for value in range(_PERIOD)], elements)


def expected_sum(ranks: int, elements: int) -> array[float]:
    """Return what the vectors of all ranks add up to."""
    factor = ranks * (ranks + 1) // 2
    return tiled("d", [factor * value for value in range(_PERIOD)], elements)


def summary(
    *, ranks: int, hosts: Sequence[str], elements: int, wrong: int, seconds: Sequence[float]
) -> dict[str, Any]:
    """Return the result record.

    Args:
        ranks: size of the communicator.
        hosts: host of each rank, in rank order.
        elements: doubles in each vector.
        wrong: wrong elements over all ranks.
        seconds: wall time of each repetition, slowest rank, monotonic clock.
    """
    best = min(seconds)
    algorithm = gb_per_s(elements * 8, best)
    return {
        "program": "allreduce",
        "ranks": ranks,
        "hosts": list(hosts),
        "elements": elements,
        "wrong_elements": wrong,
        "correct": wrong == 0,
        "seconds": [round(value, 6) for value in seconds],
        "algbw_gb_per_s": round(algorithm, 4),
        "busbw_gb_per_s": round(algorithm * bus_factor(Collective.ALL_REDUCE, ranks), 4),
        "job_id": os.environ.get("SLURM_JOB_ID", ""),
    }


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the program's options."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.allreduce", description=__doc__)
    parser.add_argument("--elements", type=int, default=1_000_000, help="doubles in each vector")
    parser.add_argument("--repeats", type=int, default=3, help="timed repetitions")
    parser.add_argument("--ranks", type=int, help="fail unless the job has exactly this many ranks")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the result goes")
    options = parser.parse_args(words)
    if options.elements < 1 or options.repeats < 1:
        parser.error("--elements and --repeats must be at least 1")
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Run the collective on this rank; returns 0 when every element on every rank is right."""
    options = parse_arguments(sys.argv[1:] if words is None else words)
    from mpi4py import MPI  # noqa: PLC0415 - only a compute node has it

    world = MPI.COMM_WORLD
    rank, ranks = world.Get_rank(), world.Get_size()
    # A launcher that does not reach MPI starts singletons: each would be "right" alone.
    if options.ranks is not None and ranks != options.ranks:
        sys.stderr.write(f"allreduce: {ranks} ranks, not {options.ranks}: MPI did not wire up\n")
        return 1
    mine = contribution(rank, options.elements)
    total = array("d", bytes(8 * options.elements))
    seconds = []
    for _ in range(options.repeats):
        world.Barrier()
        start = time.monotonic()
        world.Allreduce([mine, MPI.DOUBLE], [total, MPI.DOUBLE], op=MPI.SUM)
        seconds.append(world.allreduce(time.monotonic() - start, op=MPI.MAX))
    wrong = wrong_elements(total, expected_sum(ranks, options.elements))
    wrong_everywhere = world.allreduce(wrong, op=MPI.SUM)
    hosts = world.gather(platform.node(), root=0)
    if rank == 0:
        result = summary(
            ranks=ranks,
            hosts=hosts,
            elements=options.elements,
            wrong=wrong_everywhere,
            seconds=seconds,
        )
        write_result(options.folder, result)
        sys.stdout.write(json.dumps(result, sort_keys=True) + "\n")
    return 0 if wrong_everywhere == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
