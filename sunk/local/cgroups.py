"""The cgroup folders of the local cluster's nodes, in version 1 and version 2.

A kubelet gets a root of its own (``cgroupRoot``), which must exist in every hierarchy before it
starts. Version 2 is exercised by unit tests only: the machines of its development have version 1.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.errors import EnvironmentFault

REQUIRED = ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
"""Version 1 controllers that the kubelet and runc use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchies:
    """The cgroup mounts of a machine.

    Attributes:
        version: 1 or 2.
        roots: mount points to make folders in, sorted.
        cpuset: mount point of version 1's cpuset controller, whose children start empty.
    """

    version: int
    roots: tuple[Path, ...]
    cpuset: Path | None = None


def parse_hierarchies(mountinfo: str) -> Hierarchies:
    """Return the cgroup mounts that ``/proc/self/mountinfo`` lists.

    Raises:
        EnvironmentFault: no cgroups, or a version 1 hierarchy is missing; the message names it.
    """
    by_controller: dict[str, Path] = {}
    unified: list[Path] = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if not after:
            continue
        point = Path(before.split()[4].replace("\\040", " "))
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            unified.append(point)
        elif kind == "cgroup":
            for option in options.split(","):
                by_controller.setdefault(option, point)
    if unified and not any(name in by_controller for name in REQUIRED):
        return Hierarchies(version=2, roots=(unified[0],))
    missing = [name for name in REQUIRED if name not in by_controller]
    if missing:
        raise EnvironmentFault(
            f"find cgroup hierarchies: {', '.join(missing)} not mounted",
            hint=f"mount -t cgroup -o {missing[0]} cgroup /sys/fs/cgroup/{missing[0]}",
        )
    wanted = [by_controller[name] for name in REQUIRED]
    named = [point for name, point in by_controller.items() if name.startswith("name=")]
    return Hierarchies(
        version=1,
        roots=tuple(sorted({*wanted, *named, *unified})),
        cpuset=by_controller["cpuset"],
    )


def every_root(mountinfo: str) -> tuple[Path, ...]:
    """Return the mount points of all cgroup hierarchies, however few; for cleaning up."""
    found = set()
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] in {"cgroup", "cgroup2"}:
            found.add(Path(before.split()[4].replace("\\040", " ")))
    return tuple(sorted(found))


def make(hierarchies: Hierarchies, cgroup: str) -> None:
    """Make the folder `cgroup` (relative, with its parents) in every hierarchy, ready for use."""
    parts = Path(cgroup).parts
    for root in hierarchies.roots:
        folder = root
        for part in parts:
            if hierarchies.version == 2:
                _delegate(folder)
            folder = folder / part
            folder.mkdir(exist_ok=True)
            if root == hierarchies.cpuset:
                _inherit_cpuset(folder)


def remove(roots: Sequence[Path], cgroup: str, *, within_seconds: float = 10.0) -> None:
    """Remove the folder `cgroup` and everything below it from every hierarchy, by their roots.

    The processes in it are dead or dying: a folder stays busy for a moment after a kill.

    Raises:
        EnvironmentFault: a folder still holds processes after `within_seconds`.
    """
    deadline = time.monotonic() + within_seconds
    for root in roots:
        top = root / cgroup
        while top.is_dir() and not _remove_tree(top):
            if time.monotonic() > deadline:
                raise EnvironmentFault(
                    f"remove cgroup {top}: processes still live in it",
                    hint=f"find {top} -name cgroup.procs -exec cat {{}} + lists them",
                )
            time.sleep(0.05)
        _prune(top.parent, root)


def members(hierarchies: Hierarchies, cgroup: str) -> tuple[int, ...]:
    """Return the pids of every process in `cgroup` or below, in any hierarchy."""
    found: set[int] = set()
    for root in hierarchies.roots:
        for listing in (root / cgroup).rglob("cgroup.procs"):
            found.update(int(word) for word in _read(listing).split())
    return tuple(sorted(found))


def _delegate(folder: Path) -> None:
    available = _read(folder / "cgroup.controllers").split()
    wanted = " ".join(f"+{name}" for name in available)
    if wanted:
        (folder / "cgroup.subtree_control").write_text(wanted)


def _inherit_cpuset(folder: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not _read(folder / name).strip():
            (folder / name).write_text(_read(folder.parent / name))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _remove_tree(top: Path) -> bool:
    folders = sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True)
    done = True
    for folder in [*folders, top]:
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            done = False
    return done


def _prune(folder: Path, root: Path) -> None:
    """Remove parents that we made, as long as they are empty."""
    while folder != root and folder.is_dir():
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
