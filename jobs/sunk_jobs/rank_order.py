"""The order of a job's ranks: planned on a node, looked up, and proved after the start.

In a batch script::

    order="python3 -m sunk_jobs.rank_order"
    $order plan --ranks-per-node 8 --map ranks.json --hostfile hosts
    export SLURM_HOSTFILE=$PWD/hosts
    srun --distribution=arbitrary --ntasks=N $order check --map ranks.json --folder .
    srun --distribution=arbitrary --ntasks=N python3 train.py

or, where the launcher takes a node rank, ``--node-rank=$($order node-rank --map ranks.json)`` in
each task of ``srun --ntasks-per-node=1``.

`plan` asks Slurm for the topology and sorts the job's nodes depth first through it. `check` runs as
every rank: each node says which ranks it has in a file below `--folder`, which all nodes share;
rank 0 compares and prints one line of JSON; every rank ends with the same exit code.

Exit codes: 0 as planned; 2 usage; 94 some rank is elsewhere than planned; 95 not known, because a
node did not answer in time or Slurm did not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sunk_jobs.placement.hostlist import HostlistError, expand, fold
from sunk_jobs.placement.ordering import groups_of
from sunk_jobs.placement.rank_map import RankMap, RankMapError, dump_map, load_map, plan_map
from sunk_jobs.placement.slurm_topology import TopologyTextError, read

AS_PLANNED = 0
USAGE = 2
DIFFERS = 94
UNKNOWN = 95
SCONTROL_SECONDS = 60
VERDICT = "verdict.json"
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_RUN = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT")
"""What changes whenever the same ranks start again."""
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


class NotKnown(Exception):
    """What has to be known cannot be found out; the message says what and why."""


@dataclass(frozen=True)
class Here:
    """Where this process is.

    Attributes:
        node: its node's name in Slurm.
        rank: its rank.
        speaks: whether it is the one process of its node that reports.
        ranks: the ranks on its node, ascending; known to the one that speaks.
        run: names this run of this step, so that a restart finds no old reports.
    """

    node: str
    rank: int
    speaks: bool
    ranks: tuple[int, ...]
    run: str


def here(environment: Mapping[str, str], host: str) -> Here:
    """Return where a process is, from what srun or torchrun set.

    torchrun's variables win: its workers inherit those of the srun that started it.

    Args:
        environment: the process's variables.
        host: the machine's name, used when Slurm does not name the node.

    Raises:
        NotKnown: neither srun nor torchrun started it.
    """
    node = environment.get("SLURMD_NODENAME") or host.partition(".")[0]
    run = ".".join(environment.get(name, "0") for name in _RUN)
    try:
        if "LOCAL_WORLD_SIZE" in environment:
            rank, local = int(environment["RANK"]), int(environment["LOCAL_RANK"])
            first = rank - local
            ranks = tuple(range(first, first + int(environment["LOCAL_WORLD_SIZE"])))
        else:
            rank, local = int(environment["SLURM_PROCID"]), int(environment["SLURM_LOCALID"])
            ranks = tuple(sorted(int(word) for word in environment["SLURM_GTIDS"].split(",")))
    except (KeyError, ValueError) as exc:
        raise NotKnown(f"which rank this is: {exc}; run it under srun or torchrun") from exc
    if _PLAIN.fullmatch(node) is None:
        raise NotKnown(f"which node this is: {node[:60]!r} is no node's name")
    return Here(node=node, rank=rank, speaks=local == 0, ranks=ranks, run=run)


def compare(planned: RankMap, realised: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return the record of one job.

    Args:
        planned: the map.
        realised: the ranks on each node that reported.
    """
    there = {rank: node for node, ranks in sorted(realised.items()) for rank in ranks}
    missing = [one.node for one in planned.nodes if one.node not in realised]
    wanted = planned.hosts()
    different = [rank for rank, node in enumerate(wanted) if there.get(rank, node) != node]
    different += [rank for rank in sorted(there) if rank >= len(wanted)]
    if not missing:
        different += [rank for rank in range(len(wanted)) if rank not in there]
    first = min(different, default=None)
    verdict = "differs" if different else "unknown" if missing else "planned"
    return {
        "program": "rank_order",
        "verdict": verdict,
        "ranks": len(wanted),
        "nodes": len(planned.nodes),
        "different_ranks": len(different),
        "first_difference": None
        if first is None
        else {
            "rank": first,
            "planned": wanted[first] if first < len(wanted) else None,
            "realised": there.get(first),
        },
        "silent_nodes": missing,
        "unknown_nodes": list(planned.unknown),
    }


def exit_code(record: Mapping[str, Any]) -> int:
    """Return the exit code that a record means."""
    return {"planned": AS_PLANNED, "differs": DIFFERS}.get(record["verdict"], UNKNOWN)


def prove(
    planned: RankMap,
    me: Here,
    folder: Path,
    *,
    within_seconds: float,
    tell: Callable[[str], object],
) -> int:
    """Report, let rank 0 compare, and return everybody's exit code.

    Args:
        planned: the map.
        me: where this process is.
        folder: shared by the job's nodes.
        within_seconds: how long to wait for the others.
        tell: gets the one line of JSON, on rank 0.

    Raises:
        NotKnown: rank 0 did not say in time.
    """
    place = folder / f"rank-order.{me.run}"
    place.mkdir(parents=True, exist_ok=True)
    if me.speaks:
        _write(place / f"node-{me.node}.json", {"node": me.node, "ranks": list(me.ranks)})
    deadline = time.monotonic() + within_seconds
    if me.rank != 0:
        # Rank 0 waits as long for the nodes before it speaks.
        found = _wait(lambda: _read(place / VERDICT), deadline + within_seconds)
        if found is None:
            raise NotKnown(f"whether ranks are as planned: rank 0 did not say in {place}")
        return exit_code(found)
    # Names first: a shared file system is asked for thousands of files once, not at every look.
    _wait(lambda: len(_files(place)) >= len(planned.nodes) or None, deadline)
    record = compare(planned, _reports(place)) | {"job": me.run}
    tell(json.dumps(record, sort_keys=True))
    _write(place / VERDICT, record)
    return exit_code(record)


def _files(place: Path) -> list[Path]:
    return sorted(place.glob("node-*.json"))


def _reports(place: Path) -> dict[str, list[int]]:
    found = (_read(file) for file in _files(place))
    return {one["node"]: one["ranks"] for one in found if one is not None}


def _wait(ask: Callable[[], Any], deadline: float) -> Any:
    pause = _FIRST_PAUSE_SECONDS
    while (answer := ask()) is None and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
    return answer


def _write(file: Path, record: Mapping[str, Any]) -> None:
    """Write a file whole or not at all: somebody reads it while it is made."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(record, sort_keys=True) + "\n")
    draft.replace(file)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return found


def topology_text(file: Path | None) -> str:
    """Return Slurm's topology text, from a file or from Slurm.

    Raises:
        NotKnown: the file cannot be read, or Slurm does not answer.
    """
    try:
        if file is not None:
            return file.read_text()
        # The variable would cut every line; scontrol is asked as a script would ask it.
        clean = {name: value for name, value in os.environ.items() if name != "SLURM_TOPO_LEN"}
        done = subprocess.run(
            ["scontrol", "show", "topology"],
            capture_output=True,
            text=True,
            timeout=SCONTROL_SECONDS,
            check=True,
            env=clean,
        )
    except subprocess.CalledProcessError as exc:
        raise NotKnown(f"the topology: scontrol: {exc.stderr.strip()[:200]}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise NotKnown(f"the topology: {exc}") from exc
    return done.stdout


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the program's options."""
    parser = argparse.ArgumentParser(
        prog="sunk_jobs.rank_order",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    plan = verbs.add_parser("plan", help="write the map, and a hostfile")
    plan.add_argument("--nodes", help="hostlist [default: SLURM_JOB_NODELIST]")
    plan.add_argument("--ranks-per-node", type=int, required=True)
    plan.add_argument("--segment", type=int, help="nodes of a segment, as in sbatch --segment")
    plan.add_argument("--topology", type=Path, help="saved text instead of scontrol's answer")
    plan.add_argument("--keep-topology", type=Path, help="keep the text that the plan is by")
    plan.add_argument("--map", type=Path, required=True)
    plan.add_argument("--hostfile", type=Path)
    check = verbs.add_parser("check", help="as every rank: is the order the planned one")
    check.add_argument("--map", type=Path, required=True)
    check.add_argument("--folder", type=Path, required=True, help="shared by the job's nodes")
    check.add_argument("--within-seconds", type=float, default=60.0)
    rank = verbs.add_parser("node-rank", help="print this node's place in the map")
    rank.add_argument("--map", type=Path, required=True)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    options = parse_arguments(sys.argv[1:] if words is None else words)
    try:
        if options.verb == "plan":
            return _plan(options)
        planned = load_map(options.map.read_text())
        if options.verb == "node-rank":
            return _node_rank(planned)
        return prove(
            planned,
            here(os.environ, platform.node()),
            options.folder,
            within_seconds=options.within_seconds,
            tell=lambda line: print(line, flush=True),  # noqa: T201 - the program's one result
        )
    except NotKnown as exc:
        sys.stderr.write(f"rank_order: cannot find out {exc}\n")
        return UNKNOWN
    except (OSError, RankMapError, TopologyTextError, HostlistError) as exc:
        sys.stderr.write(f"rank_order: {exc}\n")
        return USAGE


def _plan(options: argparse.Namespace) -> int:
    hostlist = options.nodes or os.environ.get("SLURM_JOB_NODELIST", "")
    nodes = expand(hostlist)
    if not nodes:
        sys.stderr.write("rank_order: no nodes: give --nodes, or run it inside a job\n")
        return USAGE
    text = topology_text(options.topology)
    groups = groups_of(read(text))
    ranks = plan_map(groups, nodes, options.ranks_per_node, options.segment)
    if options.keep_topology is not None:
        options.keep_topology.write_text(text)
    options.map.write_text(dump_map(ranks))
    if options.hostfile is not None:
        options.hostfile.write_text(ranks.hostfile())
    if ranks.unknown:
        sys.stderr.write(f"rank_order: {_unplaced(ranks)}\n")
    return AS_PLANNED


def _unplaced(ranks: RankMap) -> str:
    if len(ranks.unknown) == len(ranks.nodes):
        return "Slurm knows no switches or blocks of these nodes: ranks go by the nodes' names"
    return f"not in the topology, so ranked last: {fold(ranks.unknown)}"


def _node_rank(planned: RankMap) -> int:
    node = os.environ.get("SLURMD_NODENAME") or platform.node().partition(".")[0]
    place = planned.node_rank(node)
    if place is None:
        sys.stderr.write(f"rank_order: node {node} is not in the map\n")
        return DIFFERS
    sys.stdout.write(f"{place}\n")
    return AS_PLANNED


if __name__ == "__main__":
    sys.exit(main())
