"""What a training program writes into its run's folder while it runs, and how it is read.

``logs/heartbeat.RANK.ATTEMPT.jsonl`` has a line for each step of each rank,
``record/loss.ATTEMPT.jsonl`` the loss of each step, by rank 0. Lines are written
whole and at once, so that only the very last one of a file can be torn.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

_LOSS = re.compile(r"loss\.(\d+)\.jsonl")


class Lines:
    """A file of JSON lines that grows.

    Args:
        file: made with its folder if need be; appended to.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._sink: TextIO = file.open("a", buffering=1)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line."""
        self._sink.write(json.dumps(record) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._sink.close()


class StepLog:
    """Heartbeat and loss curve of one rank.

    Args:
        run: the run's folder.
        rank: this one.
        attempt: number of the attempt.
        clock: seconds since the epoch.
    """

    def __init__(
        self, run: Path, rank: int, attempt: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._rank = rank
        self._clock = clock
        self._beats = Lines(heartbeat_file(run, rank, attempt))
        self._losses = Lines(loss_file(run, attempt)) if rank == 0 else None

    def step(self, step: int, loss: float) -> None:
        """Note that a step is done; the loss is the mean over ranks, with all its digits."""
        now = round(self._clock(), 3)
        self._beats.write({"rank": self._rank, "step": step, "time": now, "loss": loss})
        if self._losses is not None:
            self._losses.write({"step": step, "loss": loss})

    def close(self) -> None:
        """Close the files."""
        self._beats.close()
        if self._losses is not None:
            self._losses.close()


def heartbeat_file(run: Path, rank: int, attempt: int) -> Path:
    """Return where a rank's heartbeat is."""
    return run / "logs" / f"heartbeat.{rank}.{attempt}.jsonl"


def loss_file(run: Path, attempt: int) -> Path:
    """Return where an attempt's losses are."""
    return run / "record" / f"loss.{attempt}.jsonl"


def read_losses(run: Path) -> dict[int, float]:
    """Return the loss of each step, ascending; where attempts overlap, the last one's.

    What an attempt did after its last checkpoint is done again by the next.
    """
    found: dict[int, float] = {}
    files = [
        (int(match[1]), file)
        for file in (run / "record").glob("loss.*.jsonl")
        if (match := _LOSS.fullmatch(file.name))
    ]
    for _, file in sorted(files):
        found |= {line["step"]: line["loss"] for line in read_lines(file)}
    return dict(sorted(found.items()))


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file of JSON lines, without a last one that is torn."""
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return
