"""Figures of the fabric validator, on simulated fabrics and real sshd; no cluster needed."""

from __future__ import annotations

import json
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sunk_fabric.parse import dump_lfts, ibnetdiscover
from sunk_fabric.topology.audit import audit
from sunk_fabric.topology.routes import follow
from tests.bench.figure import Figure
from tests.support.forwarding import dump, shortest
from tests.support.simulated_fabric import three_level
from tests.support.ssh_site import WHOLE, site

REPEATS = 5
LARGE = (768, 8960)
"""Switches and LIDs of a three-level tree of 8,192 adapters."""


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


def table_text(switches: int, lids: int) -> Iterator[bytes]:
    """Forwarding tables as they come from a tool, one switch after the other; never all at once."""
    rows = "".join(
        f"0x{lid:04x} {lid % 64 + 1:03d} : (Channel Adapter portguid 0x{lid:016x}: 'gpu{lid:04d}"
        " mlx5_0')\n"
        for lid in range(1, lids + 1)
    ).encode()
    for number in range(switches):
        yield (
            f"Unicast lids [0x0-0x{lids:x}] of switch DR path slid 0; dlid 0; 0,1"
            f" guid 0x{number:016x} (leaf{number}):\n"
        ).encode()
        yield rows
        yield f"{lids} valid lids dumped \n".encode()


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table_figures() -> Iterator[Figure]:
    """First of all, as the peak of the process must be theirs."""
    before, start = peak_mib(), time.process_time()
    read = dump_lfts.parse(table_text(*LARGE))
    spent = time.process_time() - start
    assert (read.trouble, len(read.value)) == ("", LARGE[0])
    yield Figure("forwarding tables of 8,192 adapters, half a gigabyte of text", spent, 60.0, "s")
    yield Figure("their lines in a second", read.lines / spent / 1000, None, "thousand")
    yield Figure(
        "memory while they are read, beside what was there", peak_mib() - before, 64, "MiB"
    )


def route_figures() -> Iterator[Figure]:
    """Scan and forwarding tables of 1,024 adapters: read, audited, every route followed."""
    fabric = three_level(units=8)
    scan, tables = fabric.text(), dump(fabric, shortest(fabric))
    best = min(followed_seconds(scan, tables) for _ in range(REPEATS))
    yield Figure("routes of 1,024 adapters read and followed, beside the audit", best, 1.0, "s")


def followed_seconds(scan: bytes, tables: bytes) -> float:
    read = ibnetdiscover.parse(scan).value
    found = audit(read)
    start = time.process_time()
    routes = follow(read, found.fabric, found.levels, dump_lfts.parse(tables).value)
    spent = time.process_time() - start
    assert (routes.unreachable_count, routes.circle_count, routes.deadlock) == (0, 0, ())
    return spent


def figures() -> Iterator[Figure]:
    """The same shape at 1,024, 4,096 and 32,768 adapters; linear growth has ratios near 1."""
    yield from table_figures()
    yield from route_figures()
    small = three_level(units=8).text()
    audited_seconds(small)
    one = min(audited_seconds(small) for _ in range(REPEATS))
    yield Figure("fabric of 1,024 adapters parsed and audited", one, 1.0, "s")
    for units in (32, 64, 128, 256):
        text = three_level(units=units).text()
        spent = audited_seconds(text)
        name = f"{units * 128:,}"
        yield Figure(f"fabric of {name} adapters", spent, 30.0 if units == 256 else None, "s")
        yield Figure(f"{name} / 1,024 adapters, per adapter", spent * 8 / one / units, 2.0, "x")
    yield Figure("memory of it, with the simulated fabric", peak_mib(), 1024, "MiB")
