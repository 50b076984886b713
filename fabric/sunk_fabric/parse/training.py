"""``sunk_jobs.train_ddp`` and ``sunk_jobs.train_fsdp2``: the one line of JSON that each prints."""

from __future__ import annotations

import math

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed, printable
from sunk_jobs.outputs.results import TRAIN_DDP, TRAIN_FSDP2


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt.

    Attributes:
        schema: names the program.
        outcome: ``finished``, or why it ended before.
        ranks: size of the world.
        backend: ``nccl`` or ``gloo``.
        first_step: that it began with.
        last_step: that was done.
        tokens_per_second: over all ranks, by the median step; None without a step.
        step_p50_seconds: median of a step; None without a step.
        step_p99_seconds: 99th percentile of the same.
    """

    schema: str
    outcome: str = ""
    ranks: int = 0
    backend: str = ""
    first_step: int = 0
    last_step: int = 0
    tokens_per_second: float | None = None
    step_p50_seconds: float | None = None
    step_p99_seconds: float | None = None

    @property
    def steps(self) -> int:
        """Return how many steps it did."""
        return max(0, self.last_step - self.first_step + 1)


_NOTHING = Training(schema="")


def parse(content: Content) -> Parsed[Training]:
    """Return the attempt; another program's line is damage."""
    return json_text.checked(content, Training, _NOTHING, _wrong)


def _wrong(one: Training) -> str:
    if one.schema not in {TRAIN_DDP, TRAIN_FSDP2}:
        return f"its schema is {printable(repr(one.schema))} and not {TRAIN_FSDP2}"
    told = (one.tokens_per_second, one.step_p50_seconds, one.step_p99_seconds)
    if any(value is not None and not 0 < value < math.inf for value in told):
        return "a time or a rate of it is none"
    return ""
