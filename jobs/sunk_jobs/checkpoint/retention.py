"""Which checkpoints to keep; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KEEP_MIN = 2
"""One can turn out damaged; with the one before it, the run still has a state."""


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How many checkpoints to keep.

    Attributes:
        keep: the newest so many whole ones; at least 2.
        keep_every: also those whose step is a multiple of this; None: no others.
    """

    keep: int = KEEP_MIN
    keep_every: int | None = None

    def __post_init__(self) -> None:
        if self.keep < KEEP_MIN:
            raise ValueError(f"keep {self.keep} checkpoints: wanted {KEEP_MIN} or more")
        if self.keep_every is not None and self.keep_every < 1:
            raise ValueError(f"keep every {self.keep_every} steps: wanted 1 or more")


def superseded(whole: Mapping[int, bool], rule: Retention) -> list[int]:
    """Return the steps to delete, ascending.

    Args:
        whole: each step in the folder, and whether its checkpoint is whole.
        rule: what to keep.

    Returns:
        Whole ones that are older than the newest `keep` whole ones. A damaged one counts for
        nothing and is never deleted: it is evidence.
    """
    intact = sorted(step for step, ok in whole.items() if ok)
    old = intact[: -rule.keep]
    return [step for step in old if rule.keep_every is None or step % rule.keep_every != 0]
