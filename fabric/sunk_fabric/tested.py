"""One active test of a folder: its record, its outputs, and what they say together; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sunk_fabric.active.assess import assess
from sunk_fabric.active.layout import Layout
from sunk_fabric.active.readings import layout_of_record, samples_of
from sunk_fabric.active.samples import Sample
from sunk_fabric.active.suspects import Assessment
from sunk_fabric.parse.active_test import TestRecord
from sunk_fabric.parse.text import Parsed


@dataclass(frozen=True)
class Tested:
    """One test.

    Attributes:
        record: what was planned and tried.
        evidence: id of the record.
        outputs: id of evidence -> exit code and what its parser made of it.
    """

    record: TestRecord
    evidence: str
    outputs: Mapping[str, tuple[int | None, Parsed[Any]]]

    @cached_property
    def layout(self) -> Layout:
        """Return where the hosts are."""
        return layout_of_record(self.record)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Return one sample for each transfer."""
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
