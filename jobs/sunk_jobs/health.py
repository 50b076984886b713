"""The health gate: every node reports on itself, and those that are not as the others are named.

``report`` runs once on each node and writes ``<folder>/<node>.json``: CPUs, memory limits, clock,
room, network interfaces, RDMA ports, GPUs. ``judge`` reads the reports of all nodes and prints one
line of JSON; its ``exclude`` is a list of nodes for ``sbatch --exclude``.

A node is measured against what was asked for, and against what most nodes have: a wrong value that
all nodes share is not seen. What a node could not find out is null, and is held against it only
where most nodes could.

Exit codes of ``judge``: 0 all nodes are well; 1 some are not; 2 usage; 95 no node reported.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sunk_jobs.nodes import verdict
from sunk_jobs.nodes.peers import compare
from sunk_jobs.nodes.seen import (
    UNLIMITED,
    NoAnswer,
    Seen,
    clock_faults,
    cpu_faults,
    gpu_rows,
    look,
)
from sunk_jobs.nodes.verdict import WELL
from sunk_jobs.placement.hostlist import fold
from sunk_jobs.sysfs_rdma import SYS

SCHEMA = "sunk.dev/health/v1"
_TMP = Path("/tmp")  # noqa: S108 - its room is what is asked for
_GIB = 2**30
_MAJORITY = 0.5


@dataclass(frozen=True, kw_only=True)
class Report(Seen):
    """What a node says of itself; None: it could not find out.

    Attributes:
        memlock_bytes: most locked memory, -1 without a limit; RDMA needs it.
        free_disk_gib: room in /tmp.
        gpus: GPUs that it sees.
        gpu_faults: what the driver complains of.
    """

    memlock_bytes: int | None = None
    free_disk_gib: int | None = None
    gpus: int | None = None
    gpu_faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What nodes have to keep.

    Attributes:
        gpus: GPUs of each node.
        clock_skew_s: largest difference to the file server's clock, in seconds.
        free_disk_gib: least room in /tmp.
    """

    gpus: int
    clock_skew_s: float
    free_disk_gib: int


def faults(report: Report, limits: Limits, usual: Mapping[str, object]) -> list[str]:
    """Return what is wrong with a node, in words.

    Args:
        report: what it says.
        limits: what was asked for.
        usual: what most nodes have, by attribute of `Report`.
    """
    found = [f"GPU: {one}" for one in report.gpu_faults]
    if limits.gpus and report.gpus is not None and report.gpus < limits.gpus:
        found.append(f"{report.gpus} GPUs, not {limits.gpus}")
    found += cpu_faults(report) + clock_faults(report, limits.clock_skew_s)
    if report.free_disk_gib is not None and report.free_disk_gib < limits.free_disk_gib:
        found.append(f"{report.free_disk_gib} GiB free in /tmp, not {limits.free_disk_gib}")
    for name, wanted in sorted(usual.items()):
        is_ = getattr(report, name)
        if is_ != wanted:
            found.append(f"{name} {_short(is_)}, where most nodes have {_short(wanted)}")
    return found


def usual_values(reports: Sequence[Report]) -> dict[str, object]:
    """Return what more than half of the nodes agree on, of all that nodes should share."""
    found: dict[str, object] = {}
    for name in ("kernel", "memlock_bytes", "mtu", "rdma", "gpus"):
        said = {one.node: json.dumps(getattr(one, name), sort_keys=True) for one in reports}
        compared = compare(said)
        if compared is not None and compared.share > _MAJORITY:
            found[name] = json.loads(compared.usual)
    return found


def judge(reports: Sequence[Report], wanted: Sequence[str], limits: Limits) -> dict[str, Any]:
    """Return the record of a gate.

    Args:
        reports: of the nodes that reported, at least one.
        wanted: the nodes of the job.
        limits: what they have to keep.
    """
    usual = usual_values(reports)
    wrong = {one.node: faults(one, limits, usual) for one in reports}
    for node in wanted:
        if node not in wrong:
            wrong[node] = ["no report"]
    ill = {node: said for node, said in sorted(wrong.items()) if said}
    return {
        "schema": SCHEMA,
        "program": "health",
        "verdict": "ill" if ill else "well",
        "nodes": len(wrong),
        "faults": ill,
        "exclude": fold(ill),
    }


def _short(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 200 else text[:200] + "…"


def examine(environment: Mapping[str, str], shared: Path, root: Path = SYS) -> Report:
    """Return this node's report.

    Args:
        environment: the task's variables.
        shared: a folder that all nodes share.
        root: sysfs.
    """
    gpus, complaints = _gpus()
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return Report(
        **asdict(look(environment, shared, root)),
        memlock_bytes=UNLIMITED if locked == resource.RLIM_INFINITY else locked,
        free_disk_gib=shutil.disk_usage(_TMP).free // _GIB,
        gpus=gpus,
        gpu_faults=complaints,
    )


def _gpus() -> tuple[int | None, tuple[str, ...]]:
    """Return how many GPUs the driver has, and what it complains of."""
    try:
        rows = gpu_rows("index,ecc.errors.uncorrected.volatile.total")
    except NoAnswer as exc:
        return None, (str(exc),)
    if rows is None:
        return None, ()
    bad = [
        f"{row[0]}: {row[1]} uncorrected ECC errors" for row in rows if row[1:2] and _is_bad(row[1])
    ]
    return len(rows), tuple(bad)


def _is_bad(count: str) -> bool:
    return count.isdigit() and int(count) > 0


def _read(folder: Path) -> list[Report]:
    def build(raw: Mapping[str, Any]) -> Report:
        return Report(**{**raw, "gpu_faults": tuple(raw["gpu_faults"])})

    return verdict.read(folder, build, lambda line: sys.stderr.write(f"health: {line}\n"))


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    parser, _, gate = verdict.parsers("sunk_jobs.health", __doc__ or "", "report")
    gate.add_argument("--gpus", type=int, default=0, help="GPUs that each node has to have")
    gate.add_argument("--clock-skew-seconds", type=float, default=1.0)
    gate.add_argument("--free-disk-gib", type=int, default=1)
    options = parser.parse_args(words)
    if options.verb == "judge":
        limits = Limits(options.gpus, options.clock_skew_seconds, options.free_disk_gib)
        return verdict.pass_judgement(
            "health", options, _read, lambda said, nodes: judge(said, nodes, limits)
        )
    options.folder.mkdir(parents=True, exist_ok=True)
    found = examine(os.environ, options.folder)
    verdict.keep(options.folder, found.node, found)
    return WELL


if __name__ == "__main__":
    sys.exit(main())
