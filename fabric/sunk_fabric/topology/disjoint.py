"""Sets that grow together (union-find)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


class DisjointSets:
    """Names in sets; two sets become one when one name of each is joined."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent = {name: name for name in names}

    def root(self, name: str) -> str:
        """Return the smallest name of the set."""
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        """Make the sets of two names one."""
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low

    def groups(self) -> list[tuple[str, ...]]:
        """Return the sets, each sorted, by their smallest name."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._parent):
            found[self.root(name)].append(name)
        return [tuple(found[name]) for name in sorted(found)]
