"""A first job that also collects evidence: each rank says where it runs and what it has there.

``say`` runs on each rank: it prints one line for people and writes ``<folder>/<rank>.json`` with
node, CPUs, GPUs, network and limits. ``judge`` reads them all and prints one line of JSON: what is
wrong, how the nodes differ, each difference with the nodes that have it, and where nothing keeps
ranks on the CPUs that Slurm gave.

Starting proves that Slurm places tasks; that nodes have the same network shows only here. What a
rank could not find out is null, and is neither wrong nor a difference.

Exit codes of ``judge``: 0 nothing is wrong; 1 a rank or node is missing, ranks have fewer CPUs than
asked or given, MTUs differ, or a clock is off by more than a second; 2 usage; 95 no rank said
anything.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sunk_jobs import versions
from sunk_jobs.nodes import verdict
from sunk_jobs.nodes.peers import compare
from sunk_jobs.nodes.seen import (
    UNLIMITED,
    NoAnswer,
    Seen,
    clock_faults,
    cpu_faults,
    gpu_rows,
    is_unbound,
    look,
)
from sunk_jobs.nodes.verdict import USAGE, WELL
from sunk_jobs.placement.hostlist import fold
from sunk_jobs.placement.ordering import natural
from sunk_jobs.sysfs_rdma import SYS

SCHEMA = "sunk.dev/hello/v1"
MOST_SKEW_SECONDS = 1.0
LIMITS = {
    "memlock_bytes": resource.RLIMIT_MEMLOCK,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "stack_bytes": resource.RLIMIT_STACK,
}


@dataclass(frozen=True, kw_only=True)
class Greeting(Seen):
    """What a rank says of itself and its node; None: it could not find out.

    Attributes:
        rank: SLURM_PROCID.
        local_rank: SLURM_LOCALID.
        host: its own name.
        switches: SLURM_TOPOLOGY_ADDR; empty where there is none.
        driver: version of the NVIDIA driver.
        gpus: UUIDs of the GPUs that it sees.
        limits: soft limit by name, -1 without one.
    """

    rank: int
    local_rank: int
    host: str
    switches: str
    driver: str
    gpus: tuple[str, ...] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)


def compared(one: Greeting) -> dict[str, object]:
    """Return what nodes should have in common, by name."""
    return {
        "kernel": one.kernel,
        "driver": None if one.driver == versions.UNKNOWN else one.driver,
        "cpus": one.cpus,
        "cpu quota": one.cpu_quota,
        "gpus": None if one.gpus is None else len(one.gpus),
        **{f"mtu of {name}": value for name, value in one.mtu.items()},
        **{f"rdma port {name}": value for name, value in one.rdma.items()},
        **{f"limit of {name}": value for name, value in one.limits.items()},
    }


_NO_SUCH = "none"


def differences(said: Sequence[Greeting]) -> list[str]:
    """Return how nodes differ, in words: the nodes that are not as most of them are.

    Where as many nodes have one value as another, those of the first node are the usual one.
    """
    first = {one.node: compared(one) for one in reversed(said)}
    nodes = {node: first[node] for node in sorted(first, key=natural)}
    names = sorted({name for values in nodes.values() for name in values})
    return [line for name in names for line in _differences(name, nodes)]


def _differences(name: str, nodes: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    # What a node has no word for is not there; None is what it could not find out.
    values = {node: values.get(name, _NO_SUCH) for node, values in nodes.items()}
    known = {node: str(value) for node, value in values.items() if value is not None}
    if (found := compare(known)) is not None:
        for one in found.odd:
            yield f"{name}: {fold(one.nodes)} {one.value}, elsewhere {found.usual}"


def faults(said: Sequence[Greeting], nodes: Sequence[str], ranks_per_node: int) -> list[str]:
    """Return what is wrong, in words.

    Args:
        said: what ranks said.
        nodes: of the job.
        ranks_per_node: that were asked for.
    """
    there = Counter(one.node for one in said)
    having: dict[int, list[str]] = {}
    for node in nodes:
        having.setdefault(there[node], []).append(node)
    found = [
        f"{fold(alike)}: {count} ranks, not {ranks_per_node}"
        for count, alike in having.items()
        if count != ranks_per_node
    ]
    found += [f"{one.node}: rank {one.rank}: {fault}" for one in said for fault in cpu_faults(one)]
    found += [
        f"{one.node}: {fault}"
        for one in said
        if one.local_rank == 0
        for fault in clock_faults(one, MOST_SKEW_SECONDS)
    ]
    return found + [line for line in differences(said) if line.startswith("mtu of ")]


def judge(said: Sequence[Greeting], nodes: Sequence[str], ranks_per_node: int) -> dict[str, Any]:
    """Return the record of the job."""
    wrong = faults(said, nodes, ranks_per_node)
    return {
        "schema": SCHEMA,
        "verdict": "wrong" if wrong else "well",
        "ranks": len(said),
        "nodes": len({one.node for one in said}),
        "faults": wrong,
        "differences": differences(said),
        "unbound": fold(one.node for one in said if is_unbound(one)),
    }


def line_of(one: Greeting, message: str, ranks: str) -> str:
    """Return what a rank says to people."""
    gpus = "GPUs unknown" if one.gpus is None else f"{len(one.gpus)} GPUs"
    ports = f", RDMA {', '.join(sorted(one.rdma))}" if one.rdma else ""
    nets = ", ".join(f"{name} {mtu}" for name, mtu in sorted(one.mtu.items()))
    where = f"{message} from rank {one.rank} of {ranks} on {one.host}"
    cpus = f"{one.cpus} CPUs{_other_counts(one)}"
    return f"{where}: node {one.node}, {cpus}, {gpus}, network {nets or _NO_SUCH}{ports}"


def _other_counts(one: Seen) -> str:
    """Return what Slurm and the cgroups say of CPUs where it is not what the kernel says."""
    words = []
    if one.cpus_given not in (None, one.cpus):
        words.append(f"Slurm gave {one.cpus_given}")
    if one.cpu_quota not in (None, UNLIMITED, one.cpus):
        words.append(f"quota {one.cpu_quota:g}")
    return f" ({', '.join(words)})" if words else ""


def examine(environment: Mapping[str, str], shared: Path, root: Path = SYS) -> Greeting:
    """Return what this rank has.

    Args:
        environment: the task's variables.
        shared: a folder that all nodes share.
        root: sysfs.
    """
    return Greeting(
        **asdict(look(environment, shared, root)),
        rank=int(environment["SLURM_PROCID"]),
        local_rank=int(environment["SLURM_LOCALID"]),
        host=socket.gethostname(),
        switches=environment.get("SLURM_TOPOLOGY_ADDR", ""),
        driver=versions.driver(),
        gpus=_gpus(),
        limits={name: resource.getrlimit(number)[0] for name, number in LIMITS.items()},
    )


def _gpus() -> tuple[str, ...] | None:
    try:
        rows = gpu_rows("uuid")
    except NoAnswer:
        return None
    return None if rows is None else tuple(row[0] for row in rows)


def read(folder: Path) -> list[Greeting]:
    """Return what ranks said, by rank; what is damaged is named on stderr and left out."""
    known = {one.name for one in fields(Greeting)}

    def build(raw: Mapping[str, Any]) -> Greeting:
        gpus = None if raw["gpus"] is None else tuple(raw["gpus"])
        return Greeting(**{name: raw[name] for name in known} | {"gpus": gpus})

    found = verdict.read(folder, build, lambda line: sys.stderr.write(f"hello: {line}\n"))
    return sorted(found, key=lambda one: one.rank)


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run one verb and return the exit code."""
    parser, say, whole = verdict.parsers("sunk_jobs.hello", __doc__ or "", "say")
    say.add_argument("--message", default="hello")
    whole.add_argument("--ranks-per-node", type=int, required=True)
    options = parser.parse_args(words)
    if options.verb == "judge":
        return verdict.pass_judgement(
            "hello", options, read, lambda said, nodes: judge(said, nodes, options.ranks_per_node)
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = examine(environment, options.folder)
    except (KeyError, ValueError) as exc:
        sys.stderr.write(f"hello: which rank this is: {exc}; run it under srun\n")
        return USAGE
    verdict.keep(options.folder, str(found.rank), found)
    ranks = environment.get("SLURM_NTASKS", "?")
    sys.stdout.write(line_of(found, options.message, ranks) + "\n")
    return WELL


if __name__ == "__main__":
    sys.exit(main())
