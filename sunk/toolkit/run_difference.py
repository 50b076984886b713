"""How two runs differ, the most relevant first; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_VERSIONS = ("image", "driver", "cuda", "nccl", "torch", "mpi", "slurm", "python", "kernel")
_ORDER = (
    *("template", "cluster", "parameters", "elements", "origin.git", "origin.environment"),
    *("sunk", "origin.python", "script_sha256"),
    *(f"realised.versions.{name}" for name in _VERSIONS),
    *("realised.fabric", "realised.topology.nodes", "realised.topology", "realised.ranks"),
    *("origin.host", "origin.folder"),
)
_OWN = frozenset({"job_id", "made", "digest", "replay_of", "realised.attempt"})
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
    found = _compared(first, second, "")
    return tuple(sorted(found, key=lambda each: (_rank(each.key), each.key)))


def _rank(key: str) -> int:
    for place, prefix in enumerate(_ORDER):
        if key == prefix or key.startswith(f"{prefix}."):
            return place
    return len(_ORDER)


def _compared(first: Any, second: Any, path: str) -> Iterator[Difference]:
    """Yield the differences below a path; what one side has not is compared key by key."""
    sides = [{} if one == ABSENT else one for one in (first, second)]
    if not all(isinstance(one, Mapping) for one in sides) or not any(sides):
        if first != second:
            yield Difference(key=path, first=first, second=second)
        return
    for key in sorted({*sides[0], *sides[1]}):
        below = f"{path}.{key}" if path else key
        if below not in _OWN:
            yield from _compared(sides[0].get(key, ABSENT), sides[1].get(key, ABSENT), below)
