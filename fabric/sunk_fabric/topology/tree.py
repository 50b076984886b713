"""A fabric as a tree of words, for the terminal."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sunk.errors import InputError
from sunk.model.hostlist import fold
from sunk_fabric.topology.audit import Audit
from sunk_fabric.topology.levels import switch_peers
from sunk_fabric.topology.rails import natural


@dataclass(frozen=True, slots=True)
class Branch:
    """One line with what is below it.

    Attributes:
        text: the line.
        below: further lines.
    """

    text: str
    below: tuple[Branch, ...] = ()


def branches(found: Audit) -> Branch:
    """Return planes, upper levels, scalable units, leaves and their hosts, folded."""
    fabric = found.fabric
    head = (
        f"{len({one.host for one in fabric.hcas.values()})} hosts, {len(fabric.hcas)} adapters,"
        f" {len(fabric.switches)} switches, {len(fabric.links)} cables"
    )
    upper = [_level(found, level) for level in range(found.levels.top, 1, -1)]
    units = [_unit(found, number, unit) for number, unit in enumerate(found.placement.units, 1)]
    return Branch(head, (*upper, *units))


def _level(found: Audit, level: int) -> Branch:
    rates: Counter[str] = Counter()
    for guid in found.levels.at(level):
        for link, far in switch_peers(found.fabric, guid):
            if found.levels.of.get(far, 0) < level:
                rates[str(link.rate)] += 1
    down = ", ".join(f"{rate} x {count}" for rate, count in sorted(rates.items()))
    names = _folded(found.fabric.name(guid) for guid in found.levels.at(level))
    return Branch(f"level {level}: {names}; cables down: {down or 'none'}")


def _unit(found: Audit, number: int, unit: tuple[str, ...]) -> Branch:
    hosts: dict[str, set[str]] = defaultdict(set)
    for guid, leaf in found.placement.leaf_of.items():
        hosts[leaf].add(found.fabric.hcas[guid].host)
    ratios = {one.switch: one.ratio for one in found.subscriptions}
    lines = []
    for leaf in sorted(unit, key=lambda one: natural(found.fabric.name(one))):
        rail = found.placement.rail_of.get(leaf, "")
        ratio = f", {ratios[leaf]:.2f} to 1" if leaf in ratios else ""
        lines.append(
            Branch(
                f"{found.fabric.name(leaf)}{f' ({rail})' if rail else ''}:"
                f" {_folded(hosts[leaf]) or 'no hosts'}{ratio}"
            )
        )
    return Branch(f"scalable unit {number}", tuple(lines))


def _folded(names: Iterable[str]) -> str:
    names = sorted(names, key=natural)
    try:
        return fold(names)
    except InputError:
        # Names such as MF0;leaf01:MQM9700/U1 are none that a hostlist may have.
        shown = ", ".join(names[:4])
        return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
