"""Going back to an earlier checkpoint after a loss that is not finite, past the data that did it.

A run is a function of its step, so the same data would do the same again. A program that can go
back says so in ``control/not-finite.<attempt>`` and ends with 1; triage then writes
``control/rollback.<attempt>`` for the next attempt: from which step it goes on, and by how many
steps the data moves on. All later attempts keep to it. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sunk_jobs.outputs.durable import write_durably

SCHEMA = "sunk.dev/rollback/v1"


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """One way back.

    Attributes:
        attempt: the first that goes it.
        step: of the checkpoint that it goes on from.
        skipped_steps: the data of so many steps is passed over from there on.
    """

    attempt: int
    step: int
    skipped_steps: int


def plan(attempt: int, committed: Iterable[int], failed_step: int) -> Rollback | None:
    """Return the way back of the next attempt; None without a checkpoint before the newest.

    The newest one is distrusted: weights may have gone wrong before the loss showed it.

    Args:
        attempt: the next one.
        committed: steps of whole checkpoints.
        failed_step: whose loss was not finite.
    """
    before = sorted(step for step in set(committed) if step < failed_step)
    if len(before) < 2:
        return None
    step = before[-2]
    return Rollback(attempt=attempt, step=step, skipped_steps=failed_step - step)


def data_step(step: int, ways: Sequence[Rollback]) -> int:
    """Return the step whose data a step takes: its own, and later ones after each way back."""
    return step + sum(one.skipped_steps for one in ways if step > one.step)


def note_not_finite(run: Path, attempt: int, step: int) -> None:
    """Say that the loss of a step was not finite, and that the program can go back."""
    file = _not_finite_file(run, attempt)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, json.dumps({"step": step}) + "\n")


def not_finite_step(run: Path, attempt: int) -> int | None:
    """Return the step whose loss was not finite; None where the program did not say."""
    step = _read(_not_finite_file(run, attempt)).get("step")
    return step if isinstance(step, int) else None


def write(run: Path, way: Rollback) -> None:
    """Tell an attempt and all after it to go back."""
    file = run / "control" / f"rollback.{way.attempt}"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, json.dumps({"schema": SCHEMA, **asdict(way)}, sort_keys=True) + "\n")


def rollbacks(run: Path, attempt: int) -> tuple[Rollback, ...]:
    """Return the ways back that an attempt keeps to, its own and earlier ones, oldest first."""
    found = (_way(_read(file)) for file in (run / "control").glob("rollback.*"))
    mine = (one for one in found if one is not None and one.attempt <= attempt)
    return tuple(sorted(mine, key=lambda one: one.attempt))


def _way(raw: dict[str, Any]) -> Rollback | None:
    numbers = [raw.get(name) for name in ("attempt", "step", "skipped_steps")]
    if raw.get("schema") != SCHEMA or not all(isinstance(one, int) for one in numbers):
        return None
    return Rollback(**{name: raw[name] for name in ("attempt", "step", "skipped_steps")})


def _not_finite_file(run: Path, attempt: int) -> Path:
    return run / "control" / f"not-finite.{attempt}"


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
