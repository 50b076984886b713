"""What a local cluster changes on the whole machine, and how the last one puts it back.

The kubelet sets sysctls that no namespace contains, and its fixed folders must exist as mount
points. Both are recorded in a ledger under ``/run/sunk`` when the first cluster of a boot comes up,
and restored when the last one goes down. A cluster counts as up while its name is in the ledger;
one whose processes were killed is still in it until ``sunk local down`` or the next ``up``.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from sunk.errors import EnvironmentFault
from sunk.local import pids

LEDGER_FOLDER = Path("/run/sunk")
LOCK_SECONDS = 2.0
SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
"""Set by the kubelet for the whole machine (its ContainerManager's setupKernelTunables)."""
MOUNT_POINTS = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/log/pods",
    "/var/log/containers",
    "/run/containerd",
    "/run/netns",
    "/run/cni",
    "/etc/cni",
)
"""Folders with fixed names in kubelet, containerd or CNI; each node mounts its own over them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The record of machine-wide changes in one boot.

    Attributes:
        boot_id: the boot it belongs to; another boot's ledger is void.
        sysctls: values found before the first cluster came up.
        made_folders: mount points that did not exist before.
        clusters: name of each cluster that is up -> its state folder.
    """

    boot_id: str
    sysctls: dict[str, str] = field(default_factory=dict)
    made_folders: tuple[str, ...] = ()
    clusters: dict[str, str] = field(default_factory=dict)


def with_cluster(ledger: Ledger, name: str, state_folder: str) -> Ledger:
    """Return the ledger with a cluster noted as up."""
    return replace(ledger, clusters={**ledger.clusters, name: state_folder})


def without_cluster(ledger: Ledger, name: str) -> Ledger:
    """Return the ledger without a cluster."""
    return replace(ledger, clusters={k: v for k, v in ledger.clusters.items() if k != name})


def require_root(what: str) -> None:
    """Do nothing for root.

    Raises:
        EnvironmentFault: we are somebody else.
    """
    if os.geteuid() != 0:
        raise EnvironmentFault(
            f"{what}: needs root (namespaces, cgroups, mounts), and this is user id {os.geteuid()}",
            hint="run it again as root, for example with sudo",
        )


class Machine:
    """The ledger on disk and the changes it records.

    Args:
        folder: where the ledger lies; must not survive a reboot of the record's meaning.
        proc_sys: where sysctls are read and written.
    """

    def __init__(self, folder: Path = LEDGER_FOLDER, proc_sys: Path = Path("/proc/sys")) -> None:
        self._folder = folder
        self._proc_sys = proc_sys
        self._held: set[str] = set()

    def enter(self, name: str, state_folder: Path) -> None:
        """Note that a cluster comes up; the first of a boot saves what it may change.

        Raises:
            EnvironmentFault: a cluster of that name is up from another state folder.
        """
        self.refuse_other_folder(name, state_folder, "bring up")
        with self._locked() as ledger:
            made = [folder for folder in MOUNT_POINTS if _make(folder)]
            entered = replace(
                with_cluster(ledger, name, str(state_folder)),
                sysctls=ledger.sysctls or self._read_sysctls(),
                made_folders=tuple(sorted({*ledger.made_folders, *made})),
            )
            self._write(entered)

    def refuse_other_folder(self, name: str, state_folder: Path, what: str) -> None:
        """Do nothing unless a cluster of that name is up from another state folder.

        Raises:
            EnvironmentFault: it is; names of processes, networks and cgroups would collide.
        """
        owner = self.clusters().get(name)
        if owner is not None and owner != str(state_folder):
            raise EnvironmentFault(
                f"{what} cluster {name} of {state_folder}: it is up already, with its state in "
                f"{owner}",
                hint=f"choose another --name, or add to the command: --state-dir {owner}",
            )

    def leave(self, name: str) -> None:
        """Note that a cluster is down; the last one restores the machine."""
        with self._locked() as ledger:
            left = without_cluster(ledger, name)
            if left.clusters or name not in ledger.clusters:
                self._write(left)
                return
            for key, value in left.sysctls.items():
                (self._proc_sys / key).write_text(value)
            for made in left.made_folders:
                _remove_if_empty(Path(made))
            (self._folder / "ledger.json").unlink(missing_ok=True)

    def clusters(self) -> dict[str, str]:
        """Return the clusters noted as up: name -> state folder."""
        # No lock: the ledger is only ever replaced whole, and anybody may look.
        return dict(self._read().clusters)

    @contextmanager
    def exclusively(self, name: str, what: str) -> Iterator[None]:
        """Hold the lock of one cluster for the block: two commands never work on it at once.

        The same `Machine` may take it again inside.

        Args:
            name: the cluster.
            what: a verb, for the message of others meanwhile.

        Raises:
            EnvironmentFault: another process holds it; the message names it and what it does.
        """
        if name in self._held:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _lock_soon(descriptor):
                holder = os.pread(descriptor, 128, 0).decode(errors="replace").strip() or "unknown"
                raise EnvironmentFault(
                    f"{what} cluster {name}: another sunk command (pid {holder}) works on it",
                    hint="wait until it ends, or stop it, and try again",
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}: {what}".encode(), 0)
            self._held.add(name)
            yield
        finally:
            self._held.discard(name)
            os.close(descriptor)

    @contextmanager
    def _locked(self) -> Iterator[Ledger]:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "ledger.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(descriptor)

    def _read(self) -> Ledger:
        try:
            ledger = msgspec.json.decode((self._folder / "ledger.json").read_bytes(), type=Ledger)
        except (FileNotFoundError, msgspec.MsgspecError):
            return Ledger(boot_id=pids.boot_id())
        return ledger if ledger.boot_id == pids.boot_id() else Ledger(boot_id=pids.boot_id())

    def _write(self, ledger: Ledger) -> None:
        temporary = self._folder / "ledger.tmp"
        temporary.write_bytes(msgspec.json.encode(ledger))
        temporary.rename(self._folder / "ledger.json")

    def _read_sysctls(self) -> dict[str, str]:
        return {key: (self._proc_sys / key).read_text().strip() for key in SYSCTLS}


def _lock_soon(descriptor: int) -> bool:
    """Take a lock; returns whether it was free in time.

    A program that a killed command was just starting holds its lock for a moment longer.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _make(folder: str) -> bool:
    path = Path(folder)
    if path.is_dir():
        return False
    path.mkdir(parents=True)
    return True


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return
