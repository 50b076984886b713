"""What a task sees of the node that it runs on: CPUs, network, RDMA ports, GPUs, clock; Linux."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sunk_jobs.probe import node_name
from sunk_jobs.sysfs_rdma import SYS, read

UNLIMITED = -1
PROC = Path("/proc")
SMI_SECONDS = 60


class NoAnswer(Exception):
    """A program is there and does not answer; the message says how."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a task sees of its node; None: it could not find out.

    Three give out CPUs, and none asks the others: Slurm counts them, the kernel may bind a task to
    some, and a cgroup, such as a Pod's, may give time of so many and bind to none.

    Attributes:
        node: its name in Slurm.
        kernel: release.
        cpus: CPUs that the kernel lets this task run on (`sched_getaffinity`).
        cpus_asked: ``--cpus-per-task``.
        cpus_given: CPUs of the node that Slurm gave the job: SLURM_CPUS_ON_NODE.
        cpu_quota: CPUs whose time the task's cgroups give, -1 without a limit.
        mtu: network interface → MTU.
        rdma: device and port → state and rate.
        clock_skew_s: its clock minus the file server's, in seconds.
    """

    node: str
    kernel: str
    cpus: int
    cpus_asked: int | None = None
    cpus_given: int | None = None
    cpu_quota: float | None = None
    mtu: Mapping[str, int] = field(default_factory=dict)
    rdma: Mapping[str, str] = field(default_factory=dict)
    clock_skew_s: float | None = None


def cpu_faults(one: Seen) -> list[str]:
    """Return in what a task has fewer CPUs than was asked for or given, in words."""
    found = []
    if one.cpus_asked is not None and one.cpus < one.cpus_asked:
        found.append(f"{one.cpus} CPUs, not {one.cpus_asked}")
    given = one.cpus_asked if one.cpus_given is None else one.cpus_given
    if given is not None and one.cpu_quota is not None and UNLIMITED < one.cpu_quota < given:
        found.append(f"a quota of {one.cpu_quota:g} CPUs, where Slurm gave {given}")
    return found


def is_unbound(one: Seen) -> bool:
    """Return whether nothing keeps a task on the CPUs that Slurm gave its job."""
    return one.cpus_given is not None and one.cpus > one.cpus_given


def clock_faults(one: Seen, most_seconds: float) -> list[str]:
    """Return whether a node's clock is off by more than it may be, in words."""
    skew = one.clock_skew_s
    if skew is None or abs(skew) <= most_seconds:
        return []
    return [f"clock off by {skew:.3f} s, more than {most_seconds:g} s"]


def look(environment: Mapping[str, str], shared: Path, root: Path = SYS, proc: Path = PROC) -> Seen:
    """Return what this task sees.

    Args:
        environment: the task's variables.
        shared: a folder that all nodes share.
        root: sysfs.
        proc: procfs.
    """
    return Seen(
        node=node_name(environment, platform.node()),
        kernel=platform.release(),
        cpus=len(os.sched_getaffinity(0)),
        cpus_asked=_count(environment.get("SLURM_CPUS_PER_TASK", "")),
        cpus_given=_count(environment.get("SLURM_CPUS_ON_NODE", "")),
        cpu_quota=cpu_quota(proc / "self" / "cgroup", root / "fs" / "cgroup"),
        mtu=mtus(root / "class" / "net"),
        rdma=ports(root),
        clock_skew_s=clock_skew(shared),
    )


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def cpu_quota(groups: Path, mounted: Path) -> float | None:
    """Return of how many CPUs a process may have the time: the least that its cgroups give.

    Args:
        groups: ``/proc/self/cgroup``.
        mounted: where cgroups are mounted.

    Returns:
        CPUs; -1 without a limit; None when its cgroups are not to be seen.
    """
    folders = [one for one in _cgroups(groups, mounted) if one.is_dir()]
    if not folders:
        return None
    found = [quota for one in folders if (quota := _quota(one)) is not None]
    return min(found, default=UNLIMITED)


def _cgroups(groups: Path, mounted: Path) -> list[Path]:
    """Return the folders of a process's cgroup and of those above it that may limit its CPUs."""
    try:
        lines = [line.split(":", 2) for line in groups.read_text().splitlines()]
    except OSError:
        return []
    below = {name: line[2] for line in lines if len(line) == 3 for name in line[1].split(",")}
    # With the first version of cgroups, CPUs have a tree of their own; the second's has no name.
    tree = next((name for name in ("cpu", "") if name in below), None)
    if tree is None:
        return []
    # In a container the path may be the machine's, of which nothing but its end is mounted.
    inside = PurePosixPath(below[tree].strip("/"))
    return [mounted / tree / one for one in (inside, *inside.parents)]


def _quota(folder: Path) -> float | None:
    """Return the limit of one cgroup, in CPUs; None: it has none."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((folder / name).read_text() for name in names).split()
            return int(quota) / int(period) if int(quota) > 0 else None
        except (OSError, ValueError, ZeroDivisionError):  # "max" is no number
            continue
    return None


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


def gpu_rows(query: str) -> list[list[str]] | None:
    """Return what the NVIDIA driver says of each GPU; None where there is no nvidia-smi.

    Args:
        query: fields, as ``nvidia-smi --query-gpu`` takes them.

    Raises:
        NoAnswer: nvidia-smi failed, or is silent.
    """
    words = ("nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader")
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=SMI_SECONDS, check=False
        )
    except OSError:
        return None
    except subprocess.TimeoutExpired as exc:
        raise NoAnswer(f"nvidia-smi does not answer in {SMI_SECONDS} s") from exc
    if done.returncode != 0:
        said = done.stdout.strip()[:200] or done.stderr.strip()[:200]
        raise NoAnswer(f"nvidia-smi: {said}")
    return [[word.strip() for word in line.split(",")] for line in done.stdout.splitlines()]
