"""Pid files that cannot lie: each names the process's start time and the boot it belongs to.

A pid alone is not an identity: after a reboot or a wrap-around another process may bear it. Nothing
is ever signalled unless pid, start time and boot all match.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sunk.errors import EnvironmentFault

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process of one boot.

    Attributes:
        pid: process id.
        start_ticks: clock ticks between boot and the process's start; proc(5), stat field 22.
        boot_id: the kernel's random id of this boot.
    """

    pid: int
    start_ticks: int
    boot_id: str


def boot_id() -> str:
    """Return the kernel's id of the running boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def parse_start_ticks(stat: str) -> int:
    """Return field 22 of ``/proc/PID/stat``; the command name may hold spaces and brackets."""
    return int(stat[stat.rindex(")") + 2 :].split()[19])


def parse_state(stat: str) -> str:
    """Return field 3 of ``/proc/PID/stat``, one letter: R, S, D, Z and so on."""
    return stat[stat.rindex(")") + 2]


def parse_threads(stat: str) -> int:
    """Return field 20 of ``/proc/PID/stat``: how many threads the process has."""
    return int(stat[stat.rindex(")") + 2 :].split()[17])


def parse_parent(stat: str) -> int:
    """Return field 4 of ``/proc/PID/stat``: the parent's process id."""
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def identify(pid: int) -> Identity | None:
    """Return the identity of a living process, or nothing when there is none (or a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A zombie with threads is still dying: its ports and files are not free yet.
    if parse_state(stat) in "ZX" and parse_threads(stat) <= 1:
        return None
    return Identity(pid=pid, start_ticks=parse_start_ticks(stat), boot_id=boot_id())


def write(path: Path, pid: int) -> None:
    """Record a process that was just started.

    Raises:
        EnvironmentFault: it ended already.
    """
    identity = identify(pid)
    if identity is None:
        raise EnvironmentFault(f"start process for {path.name}: it ended at once")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(identity))
    temporary.rename(path)


def read(path: Path) -> Identity | None:
    """Return the living process that a pid file names; nothing if it is gone or is another one."""
    try:
        recorded = msgspec.json.decode(path.read_bytes(), type=Identity)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    except PermissionError as exc:
        raise EnvironmentFault(
            f"read pid file {path}: permission denied", hint="run it again as root"
        ) from exc
    return recorded if identify(recorded.pid) == recorded else None


def stop(path: Path, *, grace_seconds: float) -> bool:
    """End the process that a pid file names, and remove the file.

    SIGTERM first; SIGKILL after `grace_seconds` (at once when zero).

    Returns:
        Whether there was a process to stop.

    Raises:
        EnvironmentFault: it does not even end on SIGKILL.
    """
    found = read(path)
    if found is not None:
        end(found, path.stem, grace_seconds=grace_seconds)
    path.unlink(missing_ok=True)
    return found is not None


def end(identity: Identity, name: str, *, grace_seconds: float) -> None:
    """End a process: SIGTERM first; SIGKILL after `grace_seconds` (at once when zero).

    Args:
        identity: which process; one that is gone is fine.
        name: for the message.
        grace_seconds: how long it may take its leave.

    Raises:
        EnvironmentFault: it does not even end on SIGKILL.
    """
    _signal(identity, signal.SIGTERM if grace_seconds > 0 else signal.SIGKILL)
    if not _gone(identity, grace_seconds or 10.0):
        _signal(identity, signal.SIGKILL)
        if not _gone(identity, 10.0):
            raise EnvironmentFault(
                f"stop {name}: process {identity.pid} does not even end on SIGKILL",
                hint=f"it waits in the kernel: look at /proc/{identity.pid}/stack and at dmesg",
            )


def _signal(identity: Identity, number: signal.Signals) -> None:
    if identify(identity.pid) == identity:
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return


def _gone(identity: Identity, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while identify(identity.pid) == identity:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
