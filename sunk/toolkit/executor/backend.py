"""What runs calls: Slurm, processes of this machine, or this very process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sunk.toolkit.runs import Run

FOLDER = "calls"
"""Below the run folder: functions, arguments and results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function.

    Attributes:
        run: its run folder.
        index: its element of an array; 0 outside arrays.
        job_id: what the back end calls it: ``17``, ``17_3`` or ``local-1``.
    """

    run: Run
    index: int
    job_id: str

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.run.log if self.run.elements is None else self.run.log_of(self.index)

    @property
    def folder(self) -> Path:
        """Where function, arguments and results are."""
        return self.run.folder / FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a call's job ended.

    Attributes:
        state: Slurm's word.
        exit_code: None when it is not known.
        nodes: where it ran; empty when that is not known.
    """

    state: str
    exit_code: int | None = None
    nodes: str = ""


class Backend(Protocol):
    """Runs calls. It asks only when it is time to, however often it is called."""

    late_seconds: float
    """How long after a job's end its result may come into sight."""

    def start(self, run: Run) -> tuple[Call, ...]:
        """Start the calls of a complete run folder."""

    def look(self) -> None:
        """Learn what has become of the calls, if it is time to ask again."""

    def state(self, call: Call) -> str:
        """Return the last known state; UNKNOWN when there is none."""

    def end(self, call: Call) -> End | None:
        """Return how a call's job ended, or None unless that is certain."""

    def forget(self, call: Call) -> None:
        """Ask no more about a call."""

    def cancel(self, call: Call) -> None:
        """End a call; nothing but a person's wish ever leads here."""
