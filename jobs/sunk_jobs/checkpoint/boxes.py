"""Boxes of tensors, and which bytes two of them share; pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A part of a tensor.

    Attributes:
        offsets: where it begins, in elements, a number for each dimension.
        lengths: how far it goes.
    """

    offsets: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        """Return the box that is the whole tensor."""
        return cls((0,) * len(shape), tuple(shape))

    @property
    def elements(self) -> int:
        """How many elements it holds; a scalar has one."""
        return math.prod(self.lengths)

    def inside(self, shape: Sequence[int]) -> bool:
        """Say whether it is a part of a tensor of this shape."""
        return len(self.offsets) == len(self.lengths) == len(shape) and all(
            offset >= 0 and length >= 0 and offset + length <= whole
            for offset, length, whole in zip(self.offsets, self.lengths, shape, strict=True)
        )

    def common(self, other: Box) -> Box | None:
        """Return what both hold; None when that is nothing."""
        starts = tuple(map(max, self.offsets, other.offsets))
        ends = [
            min(a + x, b + y)
            for a, x, b, y in zip(
                self.offsets, self.lengths, other.offsets, other.lengths, strict=True
            )
        ]
        lengths = tuple(end - start for start, end in zip(starts, ends, strict=True))
        return Box(starts, lengths) if all(length > 0 for length in lengths) else None

    def __str__(self) -> str:
        parts = [f"{o}:{o + n}" for o, n in zip(self.offsets, self.lengths, strict=True)]
        return f"[{', '.join(parts)}]"


def runs(source: Box, target: Box, common: Box) -> Iterator[tuple[int, int, int]]:
    """Yield what to copy from one box to another, both in row-major order.

    Args:
        source: where the elements are.
        target: where they are wanted.
        common: what both hold.

    Yields:
        First element in the source, first element in the target, and how many follow without a
        gap in both; the fewest such runs.
    """
    joined = _joined(source, target, common)
    outer = [range(length) for length in common.lengths[:joined]]
    count = math.prod(common.lengths[joined:])
    for place in itertools.product(*outer):
        corner = tuple(
            start + (place[at] if at < joined else 0) for at, start in enumerate(common.offsets)
        )
        yield _position(source, corner), _position(target, corner), count


def _joined(source: Box, target: Box, common: Box) -> int:
    """Return from which dimension on the common elements follow each other without a gap."""
    at = len(common.lengths)
    while at > 0:
        at -= 1
        if not common.lengths[at] == source.lengths[at] == target.lengths[at]:
            break
    return at


def _position(box: Box, corner: Sequence[int]) -> int:
    position = 0
    for offset, length, at in zip(box.offsets, box.lengths, corner, strict=True):
        position = position * length + at - offset
    return position
