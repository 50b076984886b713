"""What a run measured, from the files that it left; changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sunk.model.curve import Axis, Curve
from sunk.toolkit.run_history import last_attempt
from sunk_jobs.outputs.results import COLLECTIVES, TORCH_COLLECTIVES
from sunk_jobs.outputs.run_files import read_losses

_TAIL_BYTES = 4 << 20
"""A program's result is its last line: a longer log is read from here."""


def curves_of(run: Path) -> tuple[Curve, ...]:
    """Return the curves of a run: its loss by step, and each collective's bandwidth by size.

    Of several attempts, the last one's bandwidth; a step that was done twice has the loss of the
    last time. Files of other forms give no curve.
    """
    return (*_loss(run), *_bandwidths(run))


def _loss(run: Path) -> Iterator[Curve]:
    try:
        points = tuple((int(step), float(loss)) for step, loss in read_losses(run).items())
    except (OSError, ValueError, TypeError, KeyError):
        return
    if points:
        yield Curve(name="loss", along=Axis.STEP, points=points)


def _bandwidths(run: Path) -> Iterator[Curve]:
    for line in reversed(list(_results(run))):
        try:
            rows = sorted(
                (str(row["collective"]), int(row["size_bytes"]), float(row["busbw_gb_per_s"]))
                for row in line["rows"]
            )
        except (ValueError, TypeError, KeyError):
            continue
        for name, group in groupby(rows, key=itemgetter(0)):
            points = tuple((size, speed) for _, size, speed in group)
            yield Curve(name=f"{name} busbw, GB/s", along=Axis.SIZE, points=points)
        return


def _results(run: Path) -> Iterator[dict[str, Any]]:
    """Yield the result lines of programs that measure collectives, oldest first."""
    last = last_attempt(run)
    ranks = [] if last is None else [run / "logs" / f"0.{number}.log" for number in range(last + 1)]
    for file in (run / "job.log", *ranks):
        for line in _last_lines(file):
            if not line.startswith("{"):
                continue
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("schema") in {COLLECTIVES, TORCH_COLLECTIVES}:
                yield record


def _last_lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
