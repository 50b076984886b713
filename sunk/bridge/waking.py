"""What wakes the loop, what it has to see then, and how long it may sleep."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sunk.clients.kube.protocol import WatchEvent
from sunk.model.kube import NODE, NODE_SET, POD, SLURM_CLUSTER, Kind

_AFTER_THE_SECOND = 0.05
"""How long after the turn of a second the loop looks; slurmctld has noted what it did by then."""
_SHORTEST_SLEEP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """Why a round is made.

    Attributes:
        by: kinds of which something changed; empty when the time came.
        versions: kind -> the resourceVersion of the newest change that a watch told, now or before;
            without the kinds of which something may have changed that no watch told.
    """

    by: frozenset[Kind] = frozenset()
    versions: Mapping[Kind, str] = field(default_factory=dict)

    @property
    def by_workers(self) -> bool:
        """Whether Kubernetes Nodes and Pods changed and, as far as is known, nothing else."""
        return bool(self.by) and self.by <= {NODE, POD}


THE_TIME_CAME = Woken()
"""Nothing is known to have changed, and no version is known."""


class Alarm:
    """Collects what changed until somebody waits for it; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._by: set[Kind] = set()
        self._versions: dict[Kind, str] = {}

    def changed(self, kind: Kind, version: str | None) -> None:
        """Note that something of a kind changed.

        Args:
            kind: of what.
            version: of the object, which a watch told; nothing when something may have changed
                that none told. The version of a list will not do: the server's cache of a kind
                learns of versions by its changes, and would be waited for, up to three seconds.
        """
        with self._lock:
            self._by.add(kind)
            self._versions.pop(kind, None)
            if version is not None:
                self._versions[kind] = version
            self._event.set()

    def wait(self, seconds: float) -> Woken:
        """Return what changed since the last call, at once; or nothing after so many seconds."""
        self._event.wait(seconds)
        with self._lock:
            self._event.clear()
            by, self._by = frozenset(self._by), set()
            return Woken(by=by, versions=dict(self._versions))


def is_news(kind: Kind, event: WatchEvent, seen: dict[str, object]) -> bool:
    """Return whether an event is worth a round.

    A bookmark is not: it names no object. Of a custom resource only what is wanted is: we write its
    status ourselves.

    Args:
        kind: what is watched.
        event: of the watch.
        seen: what was seen of each custom resource; noted here.
    """
    if event.type == "BOOKMARK":
        return False
    if kind not in {SLURM_CLUSTER, NODE_SET}:
        return True
    meta = event.object["metadata"]
    name = meta["name"]
    if event.type == "DELETED":
        seen.pop(name, None)
        return True
    told = ("uid", "generation", "deletionTimestamp", "labels", "annotations")
    now = tuple(meta.get(one) for one in told)
    news = seen.get(name) != now
    seen[name] = now
    return news


def sleep_seconds(wall: Callable[[], dt.datetime]) -> float:
    """Return how long to sleep when nothing wakes the loop: until just after the next second.

    slurmctld's times of change are whole seconds. A list that is asked for later in the second of
    a change has to be asked for once more, because something may have changed after it.
    """
    left = 1.0 + _AFTER_THE_SECOND - wall().microsecond / 1e6
    return left if left >= _SHORTEST_SLEEP else left + 1.0
