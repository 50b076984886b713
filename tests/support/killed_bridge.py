"""Kills a bridge at its n-th write, before or after it is carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

KUBE_WRITES = ("apply", "apply_status", "create", "delete", "merge")
SLURM_WRITES = ("delete_node", "drain", "resume", "set_down")


class Killed(BaseException):
    """The bridge's process is gone; no handler of its own may catch it."""


class Trap:
    """Kills the bridge that writes through these clients.

    Args:
        kube: its client of Kubernetes.
        slurm: its client of Slurm.
        at: at which write, counted while armed.
        after: the write is carried out, and then the bridge is killed.
    """

    def __init__(self, kube: object, slurm: object, at: int, *, after: bool) -> None:
        self.left, self.after, self.armed = at, after, False
        self._lock = threading.Lock()  # many drains are written at once
        self._real: list[tuple[object, str, Callable[..., Any]]] = []
        for thing, names in ((kube, KUBE_WRITES), (slurm, SLURM_WRITES)):
            for name in names:
                self._real.append((thing, name, getattr(thing, name)))
                setattr(thing, name, self._sprung(getattr(thing, name)))

    def _sprung(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*words: Any, **options: Any) -> Any:
            if not self.armed:
                return real(*words, **options)
            with self._lock:
                self.left -= 1
                left = self.left
            if left < 0 or (left == 0 and not self.after):
                raise Killed
            done = real(*words, **options)
            if left == 0:
                raise Killed
            return done

        return write

    def release(self) -> None:
        """Put the clients back to what they were."""
        for thing, name, real in self._real:
            setattr(thing, name, real)
