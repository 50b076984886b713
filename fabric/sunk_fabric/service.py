"""What the commands call: one function for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sunk.assess.check import Check
from sunk.assess.judge import judge
from sunk.assess.verdict import Finding
from sunk.errors import InputError
from sunk.render.topology import dump_topology
from sunk.render.topology_rules import problems
from sunk_fabric import folder as folders
from sunk_fabric.active import heat
from sunk_fabric.active.heat import HeatMap
from sunk_fabric.catalogue.all import BY_ID, CHECKS, GROUPS
from sunk_fabric.catalogue.unjudged import WHY
from sunk_fabric.checks.judges import JUDGES, catalogue
from sunk_fabric.expected import Expected
from sunk_fabric.parse import dump_lfts, ibnetdiscover
from sunk_fabric.parse.ibnetdiscover import Discovery
from sunk_fabric.parse.link_list import IntendedLink
from sunk_fabric.topology.audit import Audit, audit, summary
from sunk_fabric.topology.defect import Defect, DefectKind
from sunk_fabric.topology.export import to_topology
from sunk_fabric.topology.intended import compare
from sunk_fabric.topology.route_figures import route_notes, route_summary
from sunk_fabric.topology.routes import Routes, follow, missing_tables
from sunk_fabric.topology.svg import draw
from sunk_fabric.topology.tree import Branch, branches


def check(
    folder: Path,
    expected: Expected | None,
    intended: tuple[IntendedLink, ...] | None,
    only: Collection[str] = (),
) -> tuple[Finding, ...]:
    """Return the findings about a folder of texts.

    Raises:
        InputError: the folder cannot be read, or `only` names no check.
    """
    facts, evidence = folders.read(folder, expected=expected, intended=intended)
    return judge(catalogue(facts, only), facts, {one.id for one in evidence})


def heat_maps(folder: Path) -> tuple[HeatMap, ...]:
    """Return the maps of the active tests in a folder.

    Raises:
        InputError: the folder cannot be read.
    """
    facts, _ = folders.read(folder)
    return tuple(one for test in facts.tests for one in heat.heat_maps(test))


@dataclass(frozen=True, slots=True)
class Topology:
    """A fabric that was rebuilt.

    Attributes:
        audit: everything that the scan says.
        defects: what breaks it, and how it differs from the plan.
        routes: where the forwarding tables lead; nothing when nobody gave them.
    """

    audit: Audit
    defects: tuple[Defect, ...]
    routes: Routes | None = None

    @property
    def figures(self) -> Mapping[str, Any]:
        """Return its figures in plain types."""
        told = {} if self.routes is None else {"routes": route_summary(self.audit, self.routes)}
        return {**summary(self.audit), **told, "defects": len(self.defects)}

    @property
    def sound(self) -> bool:
        """Return whether nothing is broken: no defect, and every way arrives and cannot lock up."""
        ways = self.routes
        lost = ways is not None and (
            ways.unreachable_count or ways.circle_count or ways.deadlock or not ways.pairs
        )
        return not self.defects and not lost

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is a figure and no defect: flows that are limited, patterns not found."""
        flows = (
            f"{one.name}: {one.possible_gbit_per_s:g} of {one.offered_gbit_per_s:g} Gb/s"
            for one in self.audit.flows
            if one.blocks
        )
        irregular = (
            f"level {one.level}: no usual number of cables in a group of"
            f" {len(one.lower)} and {len(one.upper)} switches"
            for one in self.audit.groups.irregular
        )
        routes = () if self.routes is None else route_notes(self.audit, self.routes)
        return (*flows, *irregular, *self.audit.mixed_rates, *routes)

    def branches(self) -> Branch:
        """Return it as a tree of words."""
        return branches(self.audit)

    def picture(self) -> str:
        """Return it as SVG."""
        return draw(self.audit)

    def exported(self, name: str, source: str) -> str:
        """Return it as a topology file, in YAML.

        Raises:
            InputError: a name is none that the file takes.
        """
        made = to_topology(self.audit, name=name, source=source)
        for problem in problems(made):
            raise InputError(f"export the topology: {problem.value!r}: {problem.allowed}")
        return dump_topology(made)


def topology(
    file: Path, intended: tuple[IntendedLink, ...] | None, tables: Path | None = None
) -> Topology:
    """Return the fabric of one output of ibnetdiscover.

    Args:
        file: that output.
        intended: the plan, if there is one.
        tables: forwarding tables, to follow the routes by.

    Raises:
        InputError: a file is not there, or not read to its end without a doubt.
    """
    content = b"".join(folders.pieces(file))
    scan = ibnetdiscover.parse(content)
    if scan.trouble:
        raise InputError(
            f"read {file}: {scan.trouble}", hint="scan again: ibnetdiscover > ibnetdiscover.txt"
        )
    found = audit(scan.value)
    routes = None if tables is None else _routes(tables, scan.value, found)
    if intended is None:
        return Topology(found, found.defects, routes)
    # A plan knows every cable; what a scan alone would guess from the majority is said by it.
    planned = compare(found.fabric, intended)
    slow = {one.subject for one in planned if one.kind is DefectKind.DEGRADED}
    beside = (one for one in found.of_kind(*NO_CABLING) if one.subject not in slow)
    return Topology(found, (*beside, *planned), routes)


def _routes(file: Path, scan: Discovery, found: Audit) -> Routes:
    read = dump_lfts.parse(folders.pieces(file))
    if read.trouble:
        raise InputError(
            f"read {file}: {read.trouble}", hint="take them again: dump_lfts > dump_lfts.txt"
        )
    missing = missing_tables(found.fabric, read.value)
    if missing:
        raise InputError(
            f"read {file}: there is no table of {len(missing)} switches, such as"
            f" {found.fabric.name(missing[0])}",
            hint="scan and dump the fabric at one time, as a whole",
        )
    return follow(scan, found.fabric, found.levels, read.value)


NO_CABLING = (
    DefectKind.BAD_DESCRIPTION,
    DefectKind.DEGRADED,
    DefectKind.DUPLICATE_GUID,
    DefectKind.ENDS_DISAGREE,
)
"""Defects that a list of planned links does not speak of, or not always."""


def catalogue_rows(group: str = "") -> list[dict[str, str]]:
    """Return one row for every check, or those of a group.

    Raises:
        InputError: there is no such group.
    """
    if group and group not in GROUPS:
        raise InputError(f"list checks of {group!r}: groups are {', '.join(GROUPS)}")
    return [_row(one) for one in CHECKS if not group or one.group == group]


def _row(one: Check) -> dict[str, str]:
    return {
        "id": one.id,
        "domain": str(one.domain),
        "title": one.title,
        "proof": str(one.proof) if one.id in JUDGES else "-",
        "judged": "yes" if one.id in JUDGES else f"no: {WHY[one.id]}",
    }


def catalogue_entry(name: str) -> dict[str, Any]:
    """Return everything about one check.

    Raises:
        InputError: there is no such check.
    """
    one = BY_ID.get(name)
    if one is None:
        near = [each for each in BY_ID if each.startswith(f"{name.partition('.')[0]}.")]
        words = f"ids of that group are {', '.join(near)}" if near else "no group begins so"
        raise InputError(
            f"show the check {name!r}: {words}", hint="sunk fabric catalogue list shows all"
        )
    return {
        **_row(one),
        "proves": one.proves,
        "reads": one.reads,
        "rule": one.criterion.rule,
        "source": one.criterion.source,
        "generation": one.criterion.generation,
        "remedy": one.remedy,
        "depends_on": list(one.depends_on),
        "explained_by": list(one.explained_by),
    }
