"""Figures of the fabric validator, on simulated fabrics; no cluster needed."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.topology.audit import audit
from tests.bench.figure import Figure
from tests.support.simulated_fabric import three_level

REPEATS = 5


def audited_seconds(text: bytes) -> float:
    """CPU time from the scan's bytes to every defect and flow."""
    start = time.process_time()
    found = audit(ibnetdiscover.parse(text).value)
    spent = time.process_time() - start
    assert found.defects == ()
    return spent


def figures() -> Iterator[Figure]:
    """The same shape at 1,024, 4,096 and 32,768 adapters; linear growth has ratios near 1."""
    small = three_level(units=8).text()
    audited_seconds(small)
    one = min(audited_seconds(small) for _ in range(REPEATS))
    yield Figure("fabric of 1,024 adapters parsed and audited", one, 1.0, "s")
    middle = three_level(units=32).text()
    four = min(audited_seconds(middle) for _ in range(REPEATS))
    yield Figure("fabric of 4,096 adapters", four, None, "s")
    yield Figure("4,096 / 1,024 adapters, per adapter", four / one / 4, 1.5, "x")
    large = audited_seconds(three_level(units=256).text())
    yield Figure("fabric of 32,768 adapters", large, 30.0, "s")
    yield Figure("32,768 / 1,024 adapters, per adapter", large / one / 32, 2.0, "x")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure("memory of it, with the simulated fabric", peak, 1024, "MiB")
