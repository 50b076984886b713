"""The first process of a node: mounts its folders, starts its daemons, restarts those that end.

Runs as process 1 of its own pid namespace (``python -m sunk.local.node_main PLAN``), so it also
reaps whatever the node's containers leave behind. When it dies, the kernel ends the whole node.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec

from sunk.clients import process
from sunk.local.node import Daemon, NodePlan

_SOCKET_SECONDS = 30.0
_RESTART_SECONDS = 1.0
_MOUNT_SECONDS = 10.0


def main(plan_file: Path) -> None:
    """Carry out the plan for ever."""
    plan = msgspec.json.decode(plan_file.read_bytes(), type=NodePlan)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    mount_folders(plan)
    running: dict[int, Daemon] = {}
    for daemon in plan.daemons:
        running[_start(daemon)] = daemon
        if daemon.socket is not None:
            _wait_for(daemon)
    while True:
        pid, status = os.wait()
        ended = running.pop(pid, None)
        if ended is not None:
            _say(f"{ended.name} ended with wait status {status}; starting it again")
            time.sleep(_RESTART_SECONDS)
            running[_start(ended)] = ended


def mount_folders(plan: NodePlan) -> None:
    """Set the host name, mount /proc, and cover fixed places with the node's own folders."""
    socket.sethostname(plan.hostname)
    _mount("-t", "proc", "proc", "/proc")
    # The kubelet's mounts must reach the containers that ask for them.
    _mount("--make-rshared", "/")
    for own, place in plan.mounts:
        _mount("--bind", own, place)


def _mount(*words: str) -> None:
    process.run(["mount", *words], timeout_seconds=_MOUNT_SECONDS)


def _start(daemon: Daemon) -> int:
    _say(f"starting {daemon.name}")
    return process.start(daemon.argv, log=Path(daemon.log))


def _wait_for(daemon: Daemon) -> None:
    deadline = time.monotonic() + _SOCKET_SECONDS
    while not _answers(daemon.socket or ""):
        if time.monotonic() > deadline:
            _say(f"{daemon.name}: {daemon.socket} does not answer after {_SOCKET_SECONDS:g} s")
            return
        time.sleep(0.05)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(path) == 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
