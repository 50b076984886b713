"""One fault of a description, and the checks that more than one part of it needs; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.quantity import parse_quantity

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of a description.

    Attributes:
        path: keys as in the file, from the cluster down: ``("nodeSets", 0, "cpu")``.
        value: what stands there.
        allowed: what may stand there.
    """

    path: Path
    value: object
    allowed: str


def formed(path: Path, value: str | None, form: re.Pattern[str], allowed: str) -> Iterator[Problem]:
    """Yield a problem when a text is there and has not the form."""
    if value is not None and not form.fullmatch(value):
        yield Problem(path=path, value=value, allowed=allowed)


def one_of(path: Path, value: str | None, allowed: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem when a word is there and is none of the allowed ones."""
    words = tuple(allowed)
    if value is not None and value not in words:
        yield Problem(path=path, value=value, allowed=", ".join(words))


def between(path: Path, value: int | None, least: int, most: int) -> Iterator[Problem]:
    """Yield a problem when a number is there and is outside of its range."""
    if value is not None and not least <= value <= most:
        yield Problem(path=path, value=value, allowed=f"{least} to {most}")


def quantity(path: Path, text: str) -> Iterator[Problem]:
    """Yield a problem when a text is no Kubernetes quantity."""
    try:
        parse_quantity(text)
    except InputError:
        yield Problem(path=path, value=text, allowed="a quantity such as 500m, 2, 1.5Gi or 2000Mi")


def size(path: Path, text: str) -> Iterator[Problem]:
    """Yield a problem when a text is no quantity above 0."""
    wrong = tuple(quantity(path, text))
    yield from wrong
    if not wrong and parse_quantity(text) < 1:
        yield Problem(path=path, value=text, allowed="a size above 0")


def duplicates(where: Path, values: Iterable[tuple[str, object]]) -> Iterator[Problem]:
    """Yield a problem for each value of a list's items that an earlier item has.

    Args:
        where: the list.
        values: each item's key and value.
    """
    pairs = list(values)
    counts = Counter(value for _, value in pairs)
    seen: set[object] = set()
    for index, (key, value) in enumerate(pairs):
        if counts[value] > 1 and value in seen:
            yield Problem(path=(*where, index, key), value=value, allowed="each one once")
        seen.add(value)
