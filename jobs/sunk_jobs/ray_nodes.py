"""Work of Ray on every node of its cluster, each result checked.

On each node, pinned to it, a task makes a block of bytes; the next node's task gets it from there
through Ray's object stores and says what its digest is, and where it ran. So every node has to
compute, to send and to receive. Run it as the driver of a Ray cluster, as the job template ``ray``
does. It writes a table to stderr, and as the last line of stdout one line of JSON.

Exit codes: 0 every block arrived whole, on the node it was meant for; 1 some did not; 2 usage;
93 Ray is missing, or the cluster has another number of nodes than the job.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sunk_jobs import exit_codes
from sunk_jobs.outputs.results import RAY_NODES, RayResult, line_of

WRONG = 1
BLOCK_BYTES = 1 << 20
BLOCKS = 8
TASK_SECONDS = 120.0
SELF_TEST_CPUS = 2


@dataclass(frozen=True)
class Read:
    """What a task says of the block it read.

    Attributes:
        ray_node: Ray's id of the node where it ran.
        host: Slurm's name of that node, or the machine's.
        digest: of the block.
    """

    ray_node: str
    host: str
    digest: str


def block_of(number: int, size_bytes: int) -> bytes:
    """Return the bytes of a block: the same everywhere, and unlike those of any other."""
    unit = hashlib.sha256(str(number).encode()).digest()
    return (unit * (size_bytes // len(unit) + 1))[:size_bytes]


def digest_of(block: bytes) -> str:
    """Return what tells a block from all others."""
    return hashlib.sha256(block).hexdigest()


def here(block: bytes) -> Read:
    """Return what to say of a block; runs in a task."""
    import ray  # noqa: PLC0415 - only the Ray environment has it

    host = os.environ.get("SLURMD_NODENAME") or platform.node()
    return Read(ray.get_runtime_context().get_node_id(), host, digest_of(block))


def wrong_blocks(readers: Sequence[str], reads: Sequence[Read], size_bytes: int) -> int:
    """Return how many blocks did not arrive whole, or elsewhere than they were meant for.

    Args:
        readers: Ray's id of the node that was to read each block, by its number.
        reads: what was said of each.
        size_bytes: of a block.
    """
    return sum(
        read.ray_node != reader or read.digest != digest_of(block_of(number, size_bytes))
        for number, (reader, read) in enumerate(zip(readers, reads, strict=True))
    )


def result_of(
    nodes: Sequence[str], readers: Sequence[str], reads: Sequence[Read], size: int, version: str
) -> RayResult:
    """Return the result, from what every task said."""
    wrong = wrong_blocks(readers, reads, size)
    hosts = {read.ray_node: read.host for read in reads}
    return RayResult(
        schema=RAY_NODES,
        correct=wrong == 0 and set(hosts) == set(nodes),
        hosts=tuple(sorted(hosts.values())),
        tasks=2 * len(reads),
        block_bytes=size,
        wrong_blocks=wrong,
        library=f"ray {version}",
        job_id=os.environ.get("SLURM_JOB_ID", ""),
    )


def work(ray: Any, nodes: Sequence[str], blocks: int, size: int) -> tuple[list[str], list[Read]]:
    """Let every node make blocks, and the next one read them.

    Args:
        ray: the module, connected.
        nodes: Ray's ids of the cluster's nodes.
        blocks: that each node makes.
        size: of a block, in bytes.

    Returns:
        The node that was to read each block, and what was said of each.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    def pinned(function: Any, node: str) -> Any:
        where = NodeAffinitySchedulingStrategy(node, soft=False)
        return ray.remote(function).options(num_cpus=1, scheduling_strategy=where)

    readers: list[str] = []
    reads: list[Any] = []
    for number in range(blocks * len(nodes)):
        maker, reader = (nodes[(number + step) % len(nodes)] for step in (0, 1))
        made = pinned(block_of, maker).remote(number, size)
        readers.append(reader)
        reads.append(pinned(here, reader).remote(made))
    return readers, ray.get(reads, timeout=TASK_SECONDS)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="sunk_jobs.ray_nodes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", "1"))
    made.add_argument("--nodes", type=int, default=nodes, help="the job's (default: %(default)s)")
    made.add_argument("--blocks", type=int, default=BLOCKS, help="of each node (%(default)s)")
    made.add_argument("--bytes", type=int, default=BLOCK_BYTES, help="of a block (%(default)s)")
    made.add_argument(
        "--selftest", action="store_true", help="on a Ray of its own, on this machine"
    )
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Work on every node and return the exit code."""
    options = parser().parse_args(sys.argv[1:] if words is None else list(words))
    try:
        import ray  # noqa: PLC0415 - only the Ray environment has it
    except ImportError as exc:
        sys.stderr.write(f"ray_nodes: {exc}; run it with a Python that has ray\n")
        return exit_codes.DO_NOT_RESTART
    where = {"address": "local", "num_cpus": SELF_TEST_CPUS} if options.selftest else {}
    ray.init(log_to_driver=False, include_dashboard=False if options.selftest else None, **where)
    nodes = sorted(str(one["NodeID"]) for one in ray.nodes() if one["Alive"])
    wanted = 1 if options.selftest else options.nodes
    if len(nodes) != wanted:
        said = f"the cluster has {len(nodes)} nodes, and the job {wanted}"
        sys.stderr.write(f"ray_nodes: {said}\n")
        return exit_codes.DO_NOT_RESTART
    readers, reads = work(ray, nodes, options.blocks, options.bytes)
    result = result_of(nodes, readers, reads, options.bytes, ray.__version__)
    for host in result.hosts:
        sys.stderr.write(f"{host}: {sum(one.host == host for one in reads)} blocks\n")
    sys.stdout.write(line_of(result) + "\n")
    return exit_codes.FINISHED if result.correct else WRONG


if __name__ == "__main__":
    sys.exit(main())
