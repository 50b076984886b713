"""Everything that was read, as the judge functions see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from sunk_fabric.collection import NAME, Collection
from sunk_fabric.expected import Expected
from sunk_fabric.parse.collectives import Measured
from sunk_fabric.parse.dump_lfts import Table
from sunk_fabric.parse.ibnetdiscover import Discovery
from sunk_fabric.parse.link_list import IntendedLink
from sunk_fabric.parse.text import Content, Parsed
from sunk_fabric.parse.traffic_record import TestRecord
from sunk_fabric.tested import Tested, tested_matrix
from sunk_fabric.topology.audit import Audit, audit
from sunk_fabric.topology.routes import Routes, follow

T = TypeVar("T")
Parser = Callable[[Content], Parsed[T]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[T]):
    """One output, parsed.

    Attributes:
        format: the format's name.
        path: where it lay in the folder, or host and name of a text that was collected.
        host: where it was taken; empty for what is about the whole fabric.
        name: tells several of one format and host apart; often empty.
        at: when it began, in UTC; empty when nobody said.
        until: when it ended; empty when nobody said.
        exit_code: how the command ended; nothing when nobody said.
        evidence: id of its evidence.
        parsed: the outcome.
        incomplete: why it is not the whole output; empty when it is.
    """

    format: str
    path: str
    host: str
    name: str
    at: str
    exit_code: int | None
    evidence: str
    parsed: Parsed[T]
    incomplete: str = ""
    until: str = ""


@dataclass(frozen=True)
class Facts:
    """What there is.

    Attributes:
        readings: format -> readings, sorted by host, time and path.
        strangers: files that no format claims, sorted, with the ids of their evidence.
        expected: what the site declares.
        intended: planned links; nothing when there is no plan.
    """

    readings: dict[str, tuple[Reading[Any], ...]]
    strangers: tuple[tuple[str, str], ...] = ()
    expected: Expected = field(default_factory=Expected)
    intended: tuple[IntendedLink, ...] | None = None

    def of(self, parser: Parser[T], *, pods: bool = False) -> tuple[Reading[T], ...]:
        """Return the readings of the format that this function parses.

        Args:
            parser: of the format.
            pods: those of Pods that were asked in their own right too. A Pod shares its machine
                with its Node, and has less of it: it is no further host to judge.
        """
        name = parser.__module__.rpartition(".")[2]
        found = cast("tuple[Reading[T], ...]", self.readings.get(name, ()))
        return found if pods else tuple(one for one in found if one.host not in self.pods)

    @cached_property
    def pods(self) -> frozenset[str]:
        """Return the hosts that are Pods."""
        records: tuple[Reading[Collection], ...] = self.readings.get(NAME, ())
        return frozenset(one.host for each in records for one in each.parsed.value.hosts if one.pod)

    @cached_property
    def every(self) -> tuple[Reading[Any], ...]:
        """Return all readings, sorted by path."""
        found = (one for readings in self.readings.values() for one in readings)
        return tuple(sorted(found, key=lambda one: one.path))

    @cached_property
    def scan(self) -> Reading[Discovery] | None:
        """Return the discovery to judge the fabric by: the last one; nothing without one.

        That of ibdiagnet where ibnetdiscover gave none, or that of opensm.
        """
        known = ("ibnetdiscover", "ibdiagnet_db", "subnet_lst")
        scans = next((found for name in known if (found := self.readings.get(name))), ())
        return max(scans, key=lambda one: (one.at, one.path), default=None)

    @cached_property
    def tests(self) -> tuple[Tested, ...]:
        """Return the active tests whose records are sound."""
        readings: tuple[Reading[TestRecord], ...] = self.readings.get("traffic_record", ())
        outputs = {one.evidence: (one.exit_code, one.parsed) for one in self.every}
        own = tuple(
            Tested(one.parsed.value, one.evidence, outputs) for one in readings if _ended_well(one)
        )
        # Two ranks of a test's transfer are no test of their own.
        parts = {attempt.evidence for one in own for attempt in one.record.attempts}
        others: tuple[Reading[Measured], ...] = self.readings.get("collectives", ())
        matrices = (
            tested_matrix(one.parsed.value, one.evidence)
            for one in others
            if _ended_well(one) and one.evidence not in parts
        )
        return (*own, *(one for one in matrices if one is not None))

    @cached_property
    def audit(self) -> Audit | None:
        """Return the audit of the scan; nothing when it is not there or not sound."""
        if self.scan is None or not self.scan.parsed.sound:
            return None
        return audit(self.scan.parsed.value)

    @cached_property
    def tables(self) -> tuple[Reading[tuple[Table, ...]], ...]:
        """Return the forwarding tables to judge routes by: those of the last time they were taken.

        Several texts of one time are parts of one answer, such as ibroute's for every switch.
        """
        found: tuple[Reading[tuple[Table, ...]], ...] = self.readings.get("dump_lfts", ())
        last = max((one.at for one in found), default="")
        return tuple(one for one in found if one.at == last)

    @cached_property
    def routes(self) -> Routes | None:
        """Return where the tables lead in the scan; nothing when either is not there or sound."""
        if self.audit is None or self.scan is None or not self.tables:
            return None
        if not all(one.parsed.sound for one in self.tables):
            return None
        every = {one.guid: one for reading in self.tables for one in reading.parsed.value}
        fabric, levels = self.audit.fabric, self.audit.levels
        return follow(self.scan.parsed.value, fabric, levels, tuple(every.values()))


def _ended_well(reading: Reading[Any]) -> bool:
    return reading.parsed.sound and reading.exit_code in {None, 0}


def gathered(readings: Iterable[Reading[Any]]) -> dict[str, tuple[Reading[Any], ...]]:
    """Return readings by format, sorted by host, time and path."""
    found: dict[str, list[Reading[Any]]] = {}
    for one in readings:
        found.setdefault(one.format, []).append(one)
    return {
        name: tuple(sorted(many, key=lambda one: (one.host, one.at, one.path)))
        for name, many in sorted(found.items())
    }
