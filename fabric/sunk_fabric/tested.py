"""One active test of a folder: its record, its outputs, and what they say together; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sunk_fabric.active.assess import assess
from sunk_fabric.active.layout import Layout
from sunk_fabric.active.patterns import Flow, Pattern
from sunk_fabric.active.readings import layout_of_record, samples_of
from sunk_fabric.active.samples import Phase, Sample
from sunk_fabric.active.suspects import Assessment
from sunk_fabric.parse.collectives import Measured
from sunk_fabric.parse.text import Parsed
from sunk_fabric.parse.traffic_record import SCHEMA, TestRecord


@dataclass(frozen=True)
class Tested:
    """One test.

    Attributes:
        record: what was planned and tried.
        evidence: id of the record.
        outputs: id of evidence -> exit code and what its parser made of it.
        given: samples that are in one output together; None when each transfer has its own.
    """

    record: TestRecord
    evidence: str
    outputs: Mapping[str, tuple[int | None, Parsed[Any]]]
    given: tuple[Sample, ...] | None = None

    @cached_property
    def layout(self) -> Layout:
        """Return where the hosts are."""
        return layout_of_record(self.record)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Return one sample for each transfer."""
        if self.given is not None:
            return self.given
        return samples_of(self.record.attempts, self.outputs)

    @cached_property
    def assessment(self) -> Assessment:
        """Return what the samples say."""
        return assess(self.samples, self.layout, self.record.effect)

    def proof(self, *hosts: str) -> tuple[str, ...]:
        """Return ids of the evidence about transfers of all these hosts, and the record's.

        Args:
            hosts: none for all transfers; one; or both ends of a pair, whichever way.
        """
        wanted = set(hosts)
        found = (one.evidence for one in self.samples if wanted <= set(one.flow.ends))
        return (self.evidence, *sorted({one for one in found if one in self.outputs}))


def tested_matrix(measured: Measured, evidence: str) -> Tested | None:
    """Return the test that a program's matrix of all pairs is; None without a matrix.

    Such a program does not say which way its messages went, and repeats no pair.
    """
    if measured.pairs is None:
        return None
    names = _names(measured.hosts)
    rows = measured.pairs.gb_per_s
    samples = tuple(
        Sample(
            flow=Flow(names[at], names[to]),
            round=1,
            phase=Phase.SCREEN,
            gbit_per_s=value * 8,
            evidence=evidence,
        )
        for at, row in enumerate(rows)
        for to, value in enumerate(row)
        if value is not None
    )
    record = TestRecord(
        schema=SCHEMA,
        pattern=Pattern.TOURNAMENT,
        tool=measured.library,
        rounds=1,
        hosts=names,
    )
    return Tested(record, evidence, {}, samples)


def _names(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a name for each rank: its host's, with the rank where it has several."""
    alone = len(set(hosts)) == len(hosts)
    return hosts if alone else tuple(f"{host} rank {at}" for at, host in enumerate(hosts))
