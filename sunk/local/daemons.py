"""The processes of a local cluster: started with a mark that finds them again, whatever happened.

Each has the variable `MARK` with the cluster's home in its environment, and so have its children.
A process whose pid file was never written, because we were killed in between, is found by it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sunk.clients import process
from sunk.errors import BODY_LIMIT, EnvironmentFault
from sunk.local import pids
from sunk.local.layout import Layout

MARK = "SUNK_LOCAL_CLUSTER_HOME"
_TAIL_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A process that bears a cluster's mark.

    Attributes:
        identity: which process.
        parent: process id of its parent.
    """

    identity: pids.Identity
    parent: int


def start(layout: Layout, name: str, argv: Sequence[str]) -> None:
    """Start one of the cluster's processes and write its pid file.

    Raises:
        EnvironmentFault: it ended at once; the message has the end of its log.
    """
    pid = process.start(argv, log=layout.log(name), env={MARK: str(layout.home)})
    try:
        pids.write(layout.pid_file(name), pid)
    except EnvironmentFault as exc:
        raise ended(layout, name) from exc


def is_running(layout: Layout, name: str) -> bool:
    """Return whether the process that the pid file names lives."""
    return pids.read(layout.pid_file(name)) is not None


def require_running(layout: Layout, name: str) -> None:
    """Do nothing as long as the process lives.

    Raises:
        EnvironmentFault: it ended; the message has the end of its log.
    """
    if not is_running(layout, name):
        raise ended(layout, name)


def ended(layout: Layout, name: str) -> EnvironmentFault:
    """Return the error that says that a process ended, and what it wrote last."""
    return EnvironmentFault(
        f"start {name} of cluster {layout.name}: it ended: {last_words(layout, name)}",
        hint=f"its log is {layout.log(name)}; run the same command again to start it anew",
    )


def last_words(layout: Layout, name: str) -> str:
    """Return the end of a process's log on one line, cut at its beginning: the cause is last."""
    flat = " ".join(process.tail_of(layout.log(name), _TAIL_LINES).split())
    if not flat:
        return "it wrote nothing"
    return flat if len(flat) <= BODY_LIMIT else "…" + flat[1 - BODY_LIMIT :]


def end_strays(layout: Layout) -> int:
    """End the cluster's processes that no pid file knows; returns how many there were."""
    recorded = {found.pid for file in layout.run.glob("*.pid") if (found := pids.read(file))}
    strays = roots_without_record(marked(layout.home), recorded)
    for identity in strays:
        pids.end(identity, str(identity.pid), grace_seconds=0)
    return len(strays)


def end_all(layout: Layout) -> int:
    """End every process that bears the cluster's mark; returns how many there were."""
    found = marked(layout.home)
    for one in found:
        pids.end(one.identity, str(one.identity.pid), grace_seconds=0)
    return len(found)


def roots_without_record(
    found: Sequence[Marked], recorded: frozenset[int] | set[int]
) -> tuple[pids.Identity, ...]:
    """Return those that are neither recorded nor descend from another marked process; pure."""
    known = {one.identity.pid for one in found}
    return tuple(
        one.identity
        for one in found
        if one.identity.pid not in recorded and one.parent not in known
    )


def marked(home: Path) -> tuple[Marked, ...]:
    """Return the living processes with the mark of the cluster that lives in `home`."""
    mark = f"{MARK}={home}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark not in (folder / "environ").read_bytes().split(b"\0"):
                continue
            parent = pids.parse_parent((folder / "stat").read_text())
        except OSError:
            continue  # it ended meanwhile, or is not ours to read
        identity = pids.identify(int(folder.name))
        if identity is not None:
            found.append(Marked(identity=identity, parent=parent))
    return tuple(sorted(found, key=lambda one: one.identity.pid))
