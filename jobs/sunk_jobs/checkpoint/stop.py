"""Stopping at a step boundary, on all ranks at the same step, because somebody asked for it.

The batch script asks by a flag file, which crosses launchers and containers; a signal that reaches
a rank is a shortcut and only sets a flag. The ranks agree at a step boundary, save together, and
end with `sunk_jobs.exit_codes.SAVED`::

    stop = StopRequest(group, flag_file=run / "control" / f"save.{attempt}").listen()
    for step in range(first, last):
        train(step)
        if stop.agreed():
            store.save(step + 1, shards(), about())
            sys.exit(exit_codes.SAVED)
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from sunk_jobs.checkpoint.group import Group

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""What Slurm sends before the end: SIGTERM, or what ``--signal`` names."""


class StopRequest:
    """Whether this run is to save and end.

    Args:
        group: the ranks that agree.
        flag_file: appears when the run is to stop; rank 0 looks for it.
        exists: how to look for a file.
    """

    def __init__(
        self,
        group: Group,
        flag_file: Path | None = None,
        exists: Callable[[Path], bool] = Path.exists,
    ) -> None:
        self._group = group
        self._flag_file = flag_file
        self._exists = exists
        self._agreed = False
        self.received: list[int] = []
        """Numbers of the signals that came to this rank, in their order."""

    def listen(self, signals: Iterable[signal.Signals] = SIGNALS) -> StopRequest:
        """Take these signals as requests; only the main thread may call it."""
        for one in signals:
            signal.signal(one, self._note)
        return self

    def agreed(self) -> bool:
        """Say whether some rank was asked to stop: the same on all ranks. Collective.

        Call it at step boundaries, on all ranks at the same ones. Once True it stays True and asks
        nobody any more.
        """
        if not self._agreed:
            self._agreed = self._group.any(bool(self.received) or self._flagged())
        return self._agreed

    def _flagged(self) -> bool:
        if self._group.rank != 0 or self._flag_file is None:
            return False
        return self._exists(self._flag_file)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        # Nothing else: a handler runs between any two instructions. A second signal changes
        # nothing, as what it asks for is under way.
        self.received.append(number)


def ignore_in_worker(_worker: int = 0) -> None:
    """Ignore the signals in a process that loads data: ``DataLoader(worker_init_fn=…)``."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
