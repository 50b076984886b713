"""Which check waits for which: an order, or the circle that forbids one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from sunk.assess.check import Check
from sunk.errors import ConfigError


def ordered(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return checks, each after those it depends on; else by id.

    Raises:
        ConfigError: an id stands twice, a dependency does not exist, or they form a circle.
    """
    by_id = _by_id(checks)
    sorter = TopologicalSorter({one.id: waits_for(one) for one in by_id.values()})
    try:
        sorter.prepare()
    except CycleError as exc:
        # graphlib walks against the arrows; backwards it reads "a waits for b".
        circle = " waits for ".join(reversed(exc.args[1]))
        raise ConfigError(f"order the checks: {circle}") from exc
    result: list[Check] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        result += (by_id[name] for name in ready)
        sorter.done(*ready)
    return tuple(result)


def with_dependencies(checks: Collection[Check], wanted: Iterable[str]) -> tuple[Check, ...]:
    """Return the wanted checks and all that they wait for, sorted by id."""
    by_id = {one.id: one for one in checks}
    found: set[str] = set()
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += waits_for(by_id[name])
    return tuple(by_id[name] for name in sorted(found))


def waits_for(check: Check) -> tuple[str, ...]:
    """Return the checks that must have answered before."""
    return (*check.depends_on, *check.explained_by)


def _by_id(checks: Iterable[Check]) -> Mapping[str, Check]:
    by_id: dict[str, Check] = {}
    for one in checks:
        if one.id in by_id:
            raise ConfigError(f"order the checks: two are called {one.id}")
        by_id[one.id] = one
    for one in by_id.values():
        for name in waits_for(one):
            if name not in by_id:
                raise ConfigError(f"order the checks: {one.id} depends on {name}, which is none")
    return by_id
