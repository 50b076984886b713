"""What a run measured along something: a loss by step, a bandwidth by size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Axis(StrEnum):
    """What a curve is along."""

    STEP = "step"
    SIZE = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One measured curve.

    Attributes:
        name: what was measured, with its unit: ``loss``, ``all_reduce busbw, GB/s``.
        along: what the first numbers are; sizes are drawn on a logarithmic axis.
        points: pairs, ascending in the first number; the second may be not finite.
    """

    name: str
    along: Axis
    points: tuple[tuple[int, float], ...]

    @property
    def values(self) -> tuple[float, ...]:
        """Return the second numbers."""
        return tuple(value for _, value in self.points)
