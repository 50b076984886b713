"""Bandwidth of MPI's collectives, each result checked.

All-reduce, all-gather, reduce-scatter, all-to-all, and a matrix of all pairs of ranks. Run it as
``srun --mpi=pmix python3 -m sunk_jobs.collectives``; with ``--map ranks.json`` ranks are first put
in the order of a map of `sunk_jobs.rank_order`, under any launcher. Rank 0 writes a table to
stderr, and as the last line of stdout one line of JSON.

Exit codes: 0 every element everywhere is right; 1 some are not; 2 usage; 93 the launcher, the
number of ranks or the map does not fit: the same job would fail again.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sunk_jobs import exit_codes
from sunk_jobs.measuring import collective_bench as bench
from sunk_jobs.measuring.mpi_ranks import CODES, MpiRanks
from sunk_jobs.outputs.records import write_result
from sunk_jobs.outputs.results import COLLECTIVES, line_of, record_of
from sunk_jobs.placement.rank_map import RankMap, RankMapError, load_map

WRONG = 1
_LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "SLURM_STEP_ID")
"""Somebody started us as ranks already."""
_LIST_SECONDS = 15


class Unfit(Exception):
    """What the job is made of does not fit; the message says what."""


def tasks_of(environment: Mapping[str, str]) -> int:
    """Return how many tasks Slurm started; 0 outside a job."""
    text = environment.get("SLURM_STEP_NUM_TASKS") or environment.get("SLURM_NTASKS", "")
    return int(text) if text.isdigit() else 0


def mismatch(tasks: int, ranks: int, library: str, offered: str) -> str | None:
    """Return what to say when MPI did not find the other tasks: each would be right, alone.

    Args:
        tasks: that Slurm started.
        ranks: that MPI sees.
        library: of MPI, in its own words.
        offered: what ``srun --mpi=list`` prints.
    """
    if tasks <= 1 or ranks != 1:
        return None
    return (
        f"PMI mismatch: Slurm started {tasks} tasks and each is alone in MPI. "
        f"The build is {library}; srun offers {offered}. Start it with srun --mpi=<one of these "
        "that the build knows>, or with the build's own mpiexec"
    )


def places(planned: RankMap, hosts: Sequence[str]) -> list[int]:
    """Return for each present rank the place that a map gives it.

    Ranks of one node keep their order.

    Args:
        planned: the map.
        hosts: node of each rank, in their present order.

    Raises:
        Unfit: a node is not in the map, or has another number of ranks there.
    """
    wanted = {one.node: one for one in planned.nodes}
    used: dict[str, int] = {}
    found = []
    for host in hosts:
        if host not in wanted:
            raise Unfit(f"node {host} is not in the map")
        found.append(wanted[host].first_rank + used.get(host, 0))
        used[host] = used.get(host, 0) + 1
    for node in planned.nodes:
        if (there := used.get(node.node, 0)) != node.ranks:
            raise Unfit(f"node {node.node} has {there} ranks, the map gives it {node.ranks}")
    return found


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="sunk_jobs.collectives",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench.add_options(made, tuple(CODES))
    made.add_argument("--map", type=Path, metavar="FILE", help="put ranks in the order of this map")
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Measure on this rank and return the exit code, which is the same on all ranks."""
    given = sys.argv[1:] if words is None else list(words)
    reader = parser()
    options = reader.parse_args(given)
    plan = bench.plan_of(reader, options)
    if options.selftest:
        _two_ranks(given)
    try:
        from mpi4py import MPI  # noqa: PLC0415 - only a compute node has it
    except ImportError as exc:
        sys.stderr.write(f"collectives: {exc}; install mpi4py for this Python\n")
        return exit_codes.DO_NOT_RESTART
    world = MPI.COMM_WORLD
    try:
        world = _checked(MPI, world, options, plan)
    except Unfit as exc:
        if world.Get_rank() == 0:
            sys.stderr.write(f"collectives: {exc}\n")
        return exit_codes.DO_NOT_RESTART
    ranks = MpiRanks(MPI, world, options.type)
    measured = bench.measure(ranks, plan)
    result = bench.result_of(
        COLLECTIVES,
        plan,
        measured,
        hosts=ranks.all_gather(_node()),
        library=_library(MPI),
        element_type=options.type,
        reordered=options.map is not None,
    )
    if ranks.rank == 0:
        sys.stderr.writelines(f"{line}\n" for line in bench.table(result.rows))
        if options.folder is not None:
            write_result(Path(options.folder), record_of(result))
        sys.stdout.write(line_of(result) + "\n")
    return exit_codes.FINISHED if result.correct else WRONG


def _checked(mpi: Any, world: Any, options: argparse.Namespace, plan: bench.Plan) -> Any:
    """Return the communicator to measure with; every rank raises or none does.

    Raises:
        Unfit: the launcher, the number of ranks or the map.
    """
    tasks, size = tasks_of(os.environ), world.Get_size()
    if said := mismatch(tasks, size, _library(mpi), _offered() if size == 1 < tasks else ""):
        raise Unfit(said)
    if said := bench.refusal(
        plan, size, MpiRanks(mpi, world, options.type).element_bytes, options.ranks
    ):
        raise Unfit(said)
    if options.map is None:
        return world
    hosts = world.allgather(_node())
    text, problem = world.bcast(_read(options.map) if world.Get_rank() == 0 else None)
    if problem:
        raise Unfit(problem)
    try:
        return world.Split(0, places(load_map(text), hosts)[world.Get_rank()])
    except RankMapError as exc:
        raise Unfit(f"{options.map}: {exc}") from exc


def _node() -> str:
    """Return Slurm's name of this node, or the machine's own outside a job."""
    return os.environ.get("SLURMD_NODENAME") or platform.node().partition(".")[0]


def _read(file: Path) -> tuple[str, str]:
    """Return a file's text, or why there is none: whoever raised alone would leave the others."""
    try:
        return file.read_text(), ""
    except (OSError, UnicodeDecodeError) as exc:
        return "", f"read {file}: {exc}"


def _library(mpi: Any) -> str:
    return str(mpi.Get_library_version()).split(",")[0].splitlines()[0].strip()


def _offered() -> str:
    """Return what srun offers, in one line."""
    try:
        done = subprocess.run(
            ["srun", "--mpi=list"],
            capture_output=True,
            text=True,
            timeout=_LIST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"unknown ({exc})"
    return " ".join((done.stdout + done.stderr).split())


def _two_ranks(given: Sequence[str]) -> None:
    """Become two ranks on this machine, unless somebody made us ranks; alone without mpiexec."""
    program = shutil.which("mpiexec")
    if program is None or any(name in os.environ for name in _LAUNCHED):
        return
    settings = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    words = [program, "-n", "2", sys.executable, "-m", "sunk_jobs.collectives", *given]
    os.execve(program, words, {**settings, **os.environ})  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    sys.exit(main())
