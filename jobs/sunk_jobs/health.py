"""The health gate: every node reports on itself, and those that are not as the others are named.

``report`` runs once on each node and writes ``<folder>/<node>.json``: CPUs, memory limits, clock,
room, network interfaces, RDMA ports, GPUs. ``judge`` reads the reports of all nodes and prints one
line of JSON; its ``exclude`` is a list of nodes for ``sbatch --exclude``.

A node is measured against what was asked for, and against what most nodes have: a wrong value that
all nodes share is not seen. What a node could not find out is null and is not judged.

Exit codes of ``judge``: 0 all nodes are well; 1 some are not; 2 usage; 95 no node reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sunk_jobs.outputs.durable import write_durably
from sunk_jobs.placement.hostlist import HostlistError, expand
from sunk_jobs.probe import node_name
from sunk_jobs.sysfs_rdma import SYS, read

WELL = 0
ILL = 1
USAGE = 2
UNKNOWN = 95
SCHEMA = "sunk.dev/health/v1"
_TMP = Path("/tmp")  # noqa: S108 - its room is what is asked for
_GIB = 2**30
_SMI_SECONDS = 60
_MAJORITY = 0.5


@dataclass(frozen=True)
class Report:
    """What a node says of itself; None: it could not find out.

    Attributes:
        node: its name in Slurm.
        kernel: release.
        cpus: CPUs that this task may use.
        cpus_asked: ``--cpus-per-task``.
        memlock_bytes: most locked memory, -1 without a limit; RDMA needs it.
        clock_skew_s: its clock minus the file server's, in seconds.
        free_disk_gib: room in /tmp.
        mtu: interface → MTU.
        rdma: device and port → state and rate.
        gpus: GPUs that it sees.
        gpu_faults: what the driver complains of.
    """

    node: str
    kernel: str
    cpus: int
    cpus_asked: int | None = None
    memlock_bytes: int | None = None
    clock_skew_s: float | None = None
    free_disk_gib: int | None = None
    mtu: Mapping[str, int] = field(default_factory=dict)
    rdma: Mapping[str, str] = field(default_factory=dict)
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
    if report.cpus_asked is not None and report.cpus < report.cpus_asked:
        found.append(f"{report.cpus} CPUs, not {report.cpus_asked}")
    skew = report.clock_skew_s
    if skew is not None and abs(skew) > limits.clock_skew_s:
        found.append(f"clock off by {skew:.3f} s, more than {limits.clock_skew_s:g} s")
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
        counts = Counter(json.dumps(getattr(one, name), sort_keys=True) for one in reports)
        text, count = counts.most_common(1)[0]
        if count > len(reports) * _MAJORITY:
            found[name] = json.loads(text)
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
        "exclude": ",".join(ill),
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
    asked = environment.get("SLURM_CPUS_PER_TASK", "")
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return Report(
        node=node_name(environment, platform.node()),
        kernel=platform.release(),
        cpus=len(os.sched_getaffinity(0)),
        cpus_asked=int(asked) if asked.isdigit() else None,
        memlock_bytes=-1 if locked == resource.RLIM_INFINITY else locked,
        clock_skew_s=clock_skew(shared),
        free_disk_gib=shutil.disk_usage(_TMP).free // _GIB,
        mtu=mtus(root / "class" / "net"),
        rdma=ports(root),
        gpus=gpus,
        gpu_faults=complaints,
    )


def clock_skew(shared: Path) -> float | None:
    """Return this clock minus that of whoever keeps the shared folder: it dates the files.

    In seconds; None when nothing can be written there.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=shared, prefix=".clock.") as file:
            before = time.time()
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
            dated = os.fstat(file.fileno()).st_mtime
            after = time.time()
    except OSError:
        return None
    # A date between the two readings of this clock is agreement: the write took that long.
    return round(max(before - dated, 0.0) + min(after - dated, 0.0), 3)


def mtus(folder: Path) -> dict[str, int]:
    """Return the MTU of each network interface but loopback and ends of pairs.

    Args:
        folder: ``class/net`` of sysfs.
    """
    found = {}
    for interface in sorted(folder.glob("*")) if folder.is_dir() else ():
        try:
            found[interface.name] = int((interface / "mtu").read_text())
        except (OSError, ValueError):
            continue
    return {name: mtu for name, mtu in found.items() if not name.startswith(("lo", "veth"))}


def ports(root: Path) -> dict[str, str]:
    """Return state and rate of each RDMA port, by device and port.

    Args:
        root: sysfs.
    """
    return {
        f"{device.name}/{port.number}": " ".join(
            port.values.get(name, "-") for name in ("state", "rate")
        )
        for device in read(root).devices
        for port in device.ports
    }


def _gpus() -> tuple[int | None, tuple[str, ...]]:
    """Return how many GPUs the driver has, and what it complains of."""
    query = (
        "nvidia-smi",
        "--query-gpu=index,ecc.errors.uncorrected.volatile.total",
        "--format=csv,noheader",
    )
    try:
        done = subprocess.run(
            query, capture_output=True, text=True, timeout=_SMI_SECONDS, check=False
        )
    except OSError:
        return None, ()
    except subprocess.TimeoutExpired:
        return None, (f"nvidia-smi does not answer in {_SMI_SECONDS} s",)
    if done.returncode != 0:
        return None, (f"nvidia-smi: {done.stdout.strip()[:200] or done.stderr.strip()[:200]}",)
    rows = [[word.strip() for word in line.split(",")] for line in done.stdout.splitlines()]
    bad = [
        f"{row[0]}: {row[1]} uncorrected ECC errors" for row in rows if row[1:2] and _is_bad(row[1])
    ]
    return len(rows), tuple(bad)


def _is_bad(count: str) -> bool:
    return count.isdigit() and int(count) > 0


def _read_reports(folder: Path) -> list[Report]:
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            raw = json.loads(file.read_text())
            raw["gpu_faults"] = tuple(raw["gpu_faults"])
            found.append(Report(**raw))
        except (OSError, ValueError, TypeError, KeyError) as exc:
            sys.stderr.write(f"health: {file} is no report: {exc}\n")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    parser = argparse.ArgumentParser(prog="sunk_jobs.health", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    report = verbs.add_parser("report", help="on each node: write what it says of itself")
    gate = verbs.add_parser("judge", help="once: say which nodes are not well")
    for one in (report, gate):
        one.add_argument("--folder", type=Path, required=True, help="shared by the job's nodes")
    gate.add_argument("--gpus", type=int, default=0, help="GPUs that each node has to have")
    gate.add_argument("--nodes", required=True, help="hostlist of the nodes that should report")
    gate.add_argument("--clock-skew-seconds", type=float, default=1.0)
    gate.add_argument("--free-disk-gib", type=int, default=1)
    options = parser.parse_args(words)
    if options.verb == "report":
        options.folder.mkdir(parents=True, exist_ok=True)
        found = examine(os.environ, options.folder)
        text = json.dumps(asdict(found), sort_keys=True) + "\n"
        write_durably(options.folder / f"{found.node}.json", text)
        return WELL
    return _judge(options)


def _judge(options: argparse.Namespace) -> int:
    try:
        wanted = expand(options.nodes)
    except HostlistError as exc:
        sys.stderr.write(f"health: {exc}\n")
        return USAGE
    reports = _read_reports(options.folder)
    if not reports:
        sys.stderr.write(f"health: no node reported in {options.folder}\n")
        return UNKNOWN
    limits = Limits(options.gpus, options.clock_skew_seconds, options.free_disk_gib)
    record = judge(reports, wanted, limits)
    sys.stdout.write(json.dumps(record, sort_keys=True) + "\n")
    return ILL if record["faults"] else WELL


if __name__ == "__main__":
    sys.exit(main())
