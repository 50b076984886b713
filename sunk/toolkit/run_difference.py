"""How two runs differ, the most relevant first; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ORDER = (
    *("template", "cluster", "parameters", "elements", "origin.git", "origin.environment"),
    *("sunk", "origin.python", "script_sha256", "origin.host", "origin.folder"),
)
_OWN = frozenset({"job_id", "made", "digest"})
"""What always differs, or follows from the rest."""
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which two records differ.

    Attributes:
        key: its path.
        first: of the first run; `(absent)` where that has none.
        second: of the second.
    """

    key: str
    first: Any
    second: Any


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return how two records differ: what decides a job first, what follows from it last."""
    one, two = dict(_flat(first)), dict(_flat(second))
    found = [
        Difference(key=key, first=one.get(key, ABSENT), second=two.get(key, ABSENT))
        for key in {*one, *two}
        if one.get(key, ABSENT) != two.get(key, ABSENT)
    ]
    return tuple(sorted(found, key=lambda each: (_rank(each.key), each.key)))


def _rank(key: str) -> int:
    for place, prefix in enumerate(_ORDER):
        if key == prefix or key.startswith(f"{prefix}."):
            return place
    return len(_ORDER)


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if not prefix and key in _OWN:
            continue
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
