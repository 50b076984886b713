"""A first job that also collects evidence: each rank says where it runs and what it has there.

``say`` runs on each rank: it prints one line for people and writes ``<folder>/<rank>.json`` with
node, CPUs, GPUs, network and limits. ``judge`` reads them all and prints one line of JSON: what is
wrong, and how the nodes differ, each difference with the nodes that have it.

Starting proves that Slurm places tasks; that nodes have the same network shows only here. What a
rank could not find out is null, and is neither wrong nor a difference.

Exit codes of ``judge``: 0 nothing is wrong; 1 a rank or node is missing, ranks have fewer CPUs than
asked, MTUs differ, or a clock is off by more than a second; 2 usage; 95 no rank said anything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sunk_jobs import health, versions
from sunk_jobs.outputs.durable import write_durably
from sunk_jobs.placement.hostlist import HostlistError, expand
from sunk_jobs.probe import node_name
from sunk_jobs.sysfs_rdma import SYS

WELL = 0
WRONG = 1
USAGE = 2
UNKNOWN = 95
SCHEMA = "sunk.dev/hello/v1"
MOST_SKEW_SECONDS = 1.0
LIMITS = {
    "memlock_bytes": resource.RLIMIT_MEMLOCK,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "stack_bytes": resource.RLIMIT_STACK,
}
UNLIMITED = -1
_SMI_SECONDS = 60


@dataclass(frozen=True)
class Greeting:
    """What a rank says of itself and its node; None: it could not find out.

    Attributes:
        rank: SLURM_PROCID.
        local_rank: SLURM_LOCALID.
        node: Slurm's name of the node.
        host: its own name.
        switches: SLURM_TOPOLOGY_ADDR; empty where there is none.
        kernel: release.
        driver: version of the NVIDIA driver.
        cpus: CPUs that this rank may use.
        cpus_asked: ``--cpus-per-task``.
        gpus: UUIDs of the GPUs that it sees.
        mtu: network interface → MTU.
        rdma: device and port → state and rate.
        limits: soft limit by name, -1 without one.
        clock_skew_s: its clock minus the file server's, in seconds.
    """

    rank: int
    local_rank: int
    node: str
    host: str
    switches: str
    kernel: str
    driver: str
    cpus: int
    cpus_asked: int | None = None
    gpus: tuple[str, ...] | None = None
    mtu: Mapping[str, int] = field(default_factory=dict)
    rdma: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    clock_skew_s: float | None = None


def compared(one: Greeting) -> dict[str, object]:
    """Return what nodes should have in common, by name."""
    return {
        "kernel": one.kernel,
        "driver": None if one.driver == versions.UNKNOWN else one.driver,
        "cpus": one.cpus,
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
    names = sorted({name for values in first.values() for name in values})
    return [line for name in names for line in _differences(name, first)]


def _differences(name: str, nodes: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for node in sorted(nodes):
        # What a node has no word for is not there; None is what it could not find out.
        value = nodes[node].get(name, _NO_SUCH)
        if value is not None:
            groups.setdefault(str(value), []).append(node)
    if len(groups) < 2:
        return
    usual = max(groups, key=lambda value: len(groups[value]))
    for value in sorted(groups):
        if value != usual:
            yield f"{name}: {', '.join(groups[value])} {value}, elsewhere {usual}"


def faults(said: Sequence[Greeting], nodes: Sequence[str], ranks_per_node: int) -> list[str]:
    """Return what is wrong, in words.

    Args:
        said: what ranks said.
        nodes: of the job.
        ranks_per_node: that were asked for.
    """
    found = []
    for node in nodes:
        there = sum(one.node == node for one in said)
        if there != ranks_per_node:
            found.append(f"{node}: {there} ranks, not {ranks_per_node}")
    found += [
        f"{one.node}: rank {one.rank} has {one.cpus} CPUs, not {one.cpus_asked}"
        for one in said
        if one.cpus_asked is not None and one.cpus < one.cpus_asked
    ]
    found += [
        f"{one.node}: clock off by {one.clock_skew_s:.3f} s"
        for one in said
        if one.clock_skew_s is not None
        and one.local_rank == 0
        and abs(one.clock_skew_s) > MOST_SKEW_SECONDS
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
    }


def line_of(one: Greeting, message: str, ranks: str) -> str:
    """Return what a rank says to people."""
    gpus = "GPUs unknown" if one.gpus is None else f"{len(one.gpus)} GPUs"
    ports = f", RDMA {', '.join(sorted(one.rdma))}" if one.rdma else ""
    nets = ", ".join(f"{name} {mtu}" for name, mtu in sorted(one.mtu.items()))
    where = f"{message} from rank {one.rank} of {ranks} on {one.host}"
    return f"{where}: node {one.node}, {one.cpus} CPUs, {gpus}, network {nets or _NO_SUCH}{ports}"


def examine(environment: Mapping[str, str], shared: Path, root: Path = SYS) -> Greeting:
    """Return what this rank has.

    Args:
        environment: the task's variables.
        shared: a folder that all nodes share.
        root: sysfs.
    """
    asked = environment.get("SLURM_CPUS_PER_TASK", "")
    return Greeting(
        rank=int(environment["SLURM_PROCID"]),
        local_rank=int(environment["SLURM_LOCALID"]),
        node=node_name(environment, platform.node()),
        host=socket.gethostname(),
        switches=environment.get("SLURM_TOPOLOGY_ADDR", ""),
        kernel=platform.release(),
        driver=versions.driver(),
        cpus=len(os.sched_getaffinity(0)),
        cpus_asked=int(asked) if asked.isdigit() else None,
        gpus=_gpus(),
        mtu=health.mtus(root / "class" / "net"),
        rdma=health.ports(root),
        limits={name: resource.getrlimit(number)[0] for name, number in LIMITS.items()},
        clock_skew_s=health.clock_skew(shared),
    )


def _gpus() -> tuple[str, ...] | None:
    words = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return tuple(done.stdout.split()) if done.returncode == 0 else None


def read(folder: Path) -> list[Greeting]:
    """Return what ranks said, by rank; what is damaged is named on stderr and left out."""
    known = {one.name for one in fields(Greeting)}
    found = []
    for file in folder.glob("*.json"):
        try:
            raw = json.loads(file.read_text())
            raw["gpus"] = None if raw["gpus"] is None else tuple(raw["gpus"])
            found.append(Greeting(**{name: raw[name] for name in known}))
        except (OSError, ValueError, TypeError, KeyError) as exc:
            sys.stderr.write(f"hello: {file} is no word of a rank: {exc}\n")
    return sorted(found, key=lambda one: one.rank)


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run one verb and return the exit code."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.hello", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    say = verbs.add_parser("say", help="on each rank: say where it runs and what it has")
    whole = verbs.add_parser("judge", help="once: say what is wrong, and how nodes differ")
    for one in (say, whole):
        one.add_argument("--folder", type=Path, required=True, help="shared by the job's nodes")
    say.add_argument("--message", default="hello")
    whole.add_argument("--nodes", required=True, help="hostlist of the job's nodes")
    whole.add_argument("--ranks-per-node", type=int, required=True)
    options = parser.parse_args(words)
    return _judge(options) if options.verb == "judge" else _say(options, environment)


def _say(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        found = examine(environment, options.folder)
    except (KeyError, ValueError) as exc:
        sys.stderr.write(f"hello: which rank this is: {exc}; run it under srun\n")
        return USAGE
    text = json.dumps(asdict(found), sort_keys=True) + "\n"
    write_durably(options.folder / f"{found.rank}.json", text)
    ranks = environment.get("SLURM_NTASKS", "?")
    sys.stdout.write(line_of(found, options.message, ranks) + "\n")
    return WELL


def _judge(options: argparse.Namespace) -> int:
    try:
        nodes = expand(options.nodes)
    except HostlistError as exc:
        sys.stderr.write(f"hello: {exc}\n")
        return USAGE
    said = read(options.folder)
    if not said:
        sys.stderr.write(f"hello: no rank said anything in {options.folder}\n")
        return UNKNOWN
    record = judge(said, nodes, options.ranks_per_node)
    sys.stdout.write(json.dumps(record, sort_keys=True) + "\n")
    return WRONG if record["faults"] else WELL


if __name__ == "__main__":
    sys.exit(main())
