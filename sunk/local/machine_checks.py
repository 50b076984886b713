"""Whether this machine can carry a local cluster: facts are gathered, then judged purely."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.assess.verdict import Finding, Verdict
from sunk.errors import EnvironmentFault, SunkError
from sunk.local.cgroups import parse_hierarchies
from sunk.local.software.cache import Cache
from sunk.local.software.gobuild import GO_REMEDY, find_go
from sunk.local.software.requirements import (
    NEEDED_GIB_EMPTY,
    NEEDED_GIB_FILLED,
    existing_parent,
)
from sunk.settings import LocalSettings

_GIB = 2**30
NEEDED_STATE_GIB = 2.0
"""Objects, logs, volumes and what Pods write; images are hard links into the cache."""
NEEDED_MEMORY_GIB = 6.0
BLOCKING = frozenset(
    {
        *("machine.linux", "machine.root", "machine.python", "machine.go"),
        *("machine.cgroups", "machine.filesystems", "machine.disk"),
    }
)
"""Checks without which bringing up a cluster is bound to fail, some of them after long builds."""
LEAST_PYTHON = (3, 11)
FILESYSTEMS = ("overlay", "tmpfs", "proc")
PROGRAMS: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "etcd": "etcd-server",
    "nft": "nftables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
"""Program -> the Debian package that brings it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One file system that holds folders of ours.

    Attributes:
        folders: which.
        free_gib: what is free.
        needed_gib: what a cluster needs there, as far as the caches are not filled yet.
    """

    folders: tuple[str, ...]
    free_gib: float
    needed_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What was found on the machine.

    Attributes:
        uid: effective user id.
        system: ``Linux``, …
        architecture: ``x86_64``, …
        python: version triple.
        go: version text, or nothing.
        go_trouble: why Go cannot be used; empty when it can.
        cgroup_version: 1, 2, or nothing.
        cgroup_trouble: which hierarchy is missing.
        cgroup_remedy: the command that mounts it.
        filesystems: kinds that the kernel knows.
        missing_programs: of `PROGRAMS`.
        disks: the file systems of our folders.
        memory_gib: of the machine.
    """

    uid: int
    system: str
    architecture: str
    python: tuple[int, int, int]
    go: str | None
    go_trouble: str
    cgroup_version: int | None
    cgroup_trouble: str
    cgroup_remedy: str
    filesystems: frozenset[str]
    missing_programs: tuple[str, ...]
    disks: tuple[Disk, ...]
    memory_gib: float


def gather(settings: LocalSettings) -> MachineFacts:
    """Look at this machine; never fails, what cannot be seen is noted as trouble."""
    go, go_trouble = None, ""
    try:
        go = find_go().version
    except SunkError as exc:
        go_trouble = exc.message
    version, cgroup_trouble, cgroup_remedy = None, "", ""
    try:
        version = parse_hierarchies(Path("/proc/self/mountinfo").read_text()).version
    except SunkError as exc:
        cgroup_trouble, cgroup_remedy = exc.message, exc.hint or ""
    except OSError as exc:
        cgroup_trouble, cgroup_remedy = str(exc), "mount -t proc proc /proc"
    return MachineFacts(
        uid=os.geteuid(),
        system=platform.system(),
        architecture=platform.machine(),
        python=sys.version_info[:3],
        go=go,
        go_trouble=go_trouble,
        cgroup_version=version,
        cgroup_trouble=cgroup_trouble,
        cgroup_remedy=cgroup_remedy,
        filesystems=frozenset(_filesystems()),
        missing_programs=tuple(p for p in sorted(PROGRAMS) if shutil.which(p) is None),
        disks=_disks(settings),
        memory_gib=_memory_gib(),
    )


def judge(facts: MachineFacts) -> tuple[Finding, ...]:
    """Return one finding for each requirement, in a fixed order."""
    return (
        _finding(
            "machine.linux",
            f"{facts.system} on {facts.architecture}",
            fine=facts.system == "Linux" and facts.architecture == "x86_64",
            remedy="run it on Linux on x86_64",
        ),
        _finding(
            "machine.root",
            "user id 0" if facts.uid == 0 else f"user id {facts.uid}, not 0",
            fine=facts.uid == 0,
            remedy="run as root, for example with sudo",
        ),
        _finding(
            "machine.python",
            ".".join(map(str, facts.python)),
            fine=facts.python >= LEAST_PYTHON,
            remedy="make setup PYTHON=/path/to/python3.11",
        ),
        _finding(
            "machine.go",
            facts.go or facts.go_trouble,
            fine=facts.go is not None,
            remedy=GO_REMEDY,
        ),
        _finding(
            "machine.cgroups",
            facts.cgroup_trouble or f"version {facts.cgroup_version}",
            fine=facts.cgroup_version is not None,
            remedy=facts.cgroup_remedy,
        ),
        _finding(
            "machine.filesystems",
            _filesystems_found(facts),
            fine=set(FILESYSTEMS) <= facts.filesystems,
            remedy="modprobe overlay",
        ),
        _programs(facts),
        *(_disk(disk) for disk in facts.disks),
        _finding(
            "machine.memory",
            f"{facts.memory_gib:.1f} GiB",
            fine=facts.memory_gib >= NEEDED_MEMORY_GIB,
            remedy=f"use a machine with at least {NEEDED_MEMORY_GIB:g} GiB",
        ),
    )


def require(facts: MachineFacts) -> None:
    """Do nothing on a machine that can carry a cluster: to be called before any costly work.

    Raises:
        EnvironmentFault: it lacks something; the message names all, the hint mends the first.
    """
    lacks = [one for one in judge(facts) if one.verdict is Verdict.FAIL and one.check in BLOCKING]
    if lacks:
        raise EnvironmentFault(
            "use this machine for a local cluster: " + "; ".join(one.found for one in lacks),
            hint=f"{lacks[0].remedy}; sunk doctor shows every check",
        )


def _finding(check: str, found: str, *, fine: bool, remedy: str) -> Finding:
    return Finding(
        check=check,
        verdict=Verdict.PASS if fine else Verdict.FAIL,
        found=found,
        remedy="" if fine else remedy,
    )


def _programs(facts: MachineFacts) -> Finding:
    if not facts.missing_programs:
        return Finding(check="machine.programs", verdict=Verdict.PASS, found="all there")
    packages = sorted({PROGRAMS[name] for name in facts.missing_programs})
    return Finding(
        check="machine.programs",
        verdict=Verdict.WARN,
        found="missing: " + ", ".join(facts.missing_programs) + " (sunk local up installs them)",
        remedy="apt-get install --no-install-recommends " + " ".join(packages),
    )


def _disk(disk: Disk) -> Finding:
    return _finding(
        "machine.disk",
        f"{disk.free_gib:.1f} GiB free for {' and '.join(disk.folders)}, "
        f"needs {disk.needed_gib:g} GiB",
        fine=disk.free_gib >= disk.needed_gib,
        remedy="free some space, or choose another folder (--cache-dir, --state-dir)",
    )


def _filesystems_found(facts: MachineFacts) -> str:
    missing = sorted(set(FILESYSTEMS) - facts.filesystems)
    return f"the kernel has no {', '.join(missing)}" if missing else ", ".join(sorted(FILESYSTEMS))


def _disks(settings: LocalSettings) -> tuple[Disk, ...]:
    """Return the file systems of the cache and the state; one that holds both needs both."""
    cache, state = existing_parent(settings.cache_folder), existing_parent(settings.state_folder)
    filled = Cache(settings.cache_folder).has_entries()
    of_cache = float(NEEDED_GIB_FILLED if filled else NEEDED_GIB_EMPTY)
    folders = (str(settings.cache_folder), str(settings.state_folder))
    if cache.stat().st_dev == state.stat().st_dev:
        both = of_cache + NEEDED_STATE_GIB
        return (Disk(folders=folders, free_gib=_free_gib(cache), needed_gib=both),)
    return (
        Disk(folders=folders[:1], free_gib=_free_gib(cache), needed_gib=of_cache),
        Disk(folders=folders[1:], free_gib=_free_gib(state), needed_gib=NEEDED_STATE_GIB),
    )


def _filesystems() -> Sequence[str]:
    try:
        return Path("/proc/filesystems").read_text().split()
    except OSError:
        return ()


def _free_gib(folder: Path) -> float:
    return shutil.disk_usage(folder).free / _GIB


def _memory_gib() -> float:
    try:
        line = next(x for x in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in x)
    except (OSError, StopIteration):
        return 0.0
    return int(line.split()[1]) / 2**20
