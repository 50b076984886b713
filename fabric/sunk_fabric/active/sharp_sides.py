"""Names of a comparison with SHARP and without: its sides, and programs that reduce; pure."""

from __future__ import annotations

from enum import StrEnum

ON, OFF = "sharp-on", "sharp-off"
"""Names of a program's runs with and without; ``sharp-on-2`` is one with, too."""


class Program(StrEnum):
    """What reduces."""

    ALL_REDUCE_PERF = "all_reduce_perf"
    TORCH = "torch"
    OSU_ALLREDUCE = "osu_allreduce"


def is_side(name: str, side: str) -> bool:
    """Return whether a run of that name is one of a side."""
    return name == side or name.startswith(f"{side}-")
