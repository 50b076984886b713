"""Figures of the fabric validator, on simulated fabrics and real sshd; no cluster needed."""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sunk_fabric.parse import ibnetdiscover
from sunk_fabric.topology.audit import audit
from tests.bench.figure import Figure
from tests.support.simulated_fabric import three_level
from tests.support.ssh_site import WHOLE, site

REPEATS = 5


def audited_seconds(text: bytes) -> float:
    """CPU time from the scan's bytes to every defect and flow."""
    start = time.process_time()
    found = audit(ibnetdiscover.parse(text).value)
    spent = time.process_time() - start
    assert found.defects == ()
    return spent


def collecting(rootfs: Path) -> Iterator[Figure]:
    """Collect from 1,000 names on 50 sshd, 20 of them dead, 32 at a time.

    Hosts and collector share this machine: most of the wall time is that of the hosts' programs.
    """
    folder = Path(tempfile.mkdtemp(prefix="sunk-bench-collect-", dir="/var/tmp"))
    try:
        (folder / "fleet").mkdir()
        with site(rootfs, folder / "fleet", **WHOLE) as made, made.fleet.counted() as peak:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            done = made.collect(folder / "out", "--output", "json")
            wall = time.monotonic() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = json.loads(done.stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    spent = sum(after[:2]) - sum(before[:2])
    wrong = sum(
        (one["outcome"], one["reason"]) != made.expected[one["host"]] for one in told["hosts"]
    )
    yield Figure("collect from 1,000 names, 20 dead", wall, None, "s")
    yield Figure("of it CPU of the collector", spent, None, "s")
    yield Figure("connections at the same time, at most", peak.value, 32, "")
    yield Figure("hosts with another outcome than theirs", wrong, 0, "")


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
