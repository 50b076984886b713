"""Curves and bars of characters; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

_LEVELS = "▁▂▃▄▅▆▇█"
_MISSING = "?"
"""A value that is no number: a loss that is not finite must not look like a small one."""


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """Return a curve of at most `width` characters, from its lowest value to its highest.

    Args:
        values: at equal distances. Where there are more than characters, each character shows the
            mean of a stretch; one that has a value which is not finite shows ``?``.
        width: in characters; at least 1.
    """
    means = [_mean(stretch) for stretch in _stretches(values, width)]
    finite = [one for one in means if math.isfinite(one)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    return "".join(_level(one, low, high) for one in means)


def bars(shares: Mapping[str, float], width: int = 40) -> list[str]:
    """Return one line for each share, its bar in proportion.

    Args:
        shares: name -> share of the whole, 0 to 1.
        width: of a whole, in characters.
    """
    longest = max(map(len, shares), default=0)
    return [
        f"{name:<{longest}}  {share:>7.2%}  {'█' * round(share * width)}".rstrip()
        for name, share in shares.items()
    ]


def _stretches(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(len(values), width)
    edges = [len(values) * number // count for number in range(count + 1)] if count else []
    return [values[start:end] for start, end in pairwise(edges)]


def _mean(stretch: Sequence[float]) -> float:
    # Divided first: the sum of huge values is not finite, and their mean is.
    return math.fsum(one / len(stretch) for one in stretch)


def _level(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return _MISSING
    # Halved first: the distance of two huge values is not finite.
    span = high / 2 - low / 2
    place = (value / 2 - low / 2) / span if span else 0.0
    return _LEVELS[min(len(_LEVELS) - 1, int(place * len(_LEVELS)))]
