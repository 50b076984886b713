"""GPUs and adapters: how near they are to each other."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import nvidia_topo, sysfs_rdma
from sunk_fabric.parse.nvidia_topo import NEAREST_FIRST, Matrix
from sunk_jobs.sysfs_rdma import Snapshot

NEAR = frozenset({"PIX", "PXB"})


def matrix(facts: Facts) -> Iterator[Answer]:
    """Each GPU has an adapter behind PCIe bridges alone."""

    def judge(reading: Reading[Matrix]) -> Iterator[Answer]:
        found = reading.parsed.value
        gpus = [one for one in found.names if one.startswith("GPU")]
        for gpu in gpus:
            subject = subjects.node(reading.host, gpu)
            yield said(*nearest_of(found, gpu), subject, reading)
        if not gpus:
            yield said(Verdict.UNKNOWN, "no GPU is told of", place(reading), reading)

    yield from each(facts, nvidia_topo.parse, judge)


def nearest_of(found: Matrix, gpu: str) -> tuple[Verdict, str]:
    """Return whether the adapter nearest to a GPU is behind PCIe bridges alone."""
    nics = [one for one in found.names if not one.startswith("GPU")]
    if not nics:
        return Verdict.UNKNOWN, "no adapter is told of"
    nearest = min(nics, key=lambda nic: (_distance(found.cells[gpu, nic]), nic))
    cell = found.cells[gpu, nearest]
    words = f"{found.nics.get(nearest, nearest)} is nearest, at {cell}"
    return (Verdict.PASS if cell in NEAR else Verdict.FAIL), words


def _distance(cell: str) -> int:
    name = "NV" if cell.startswith("NV") else cell
    return NEAREST_FIRST.index(name) if name in NEAREST_FIRST else len(NEAREST_FIRST)


def numa(facts: Facts) -> Iterator[Answer]:
    """Each adapter knows its NUMA node."""

    def judge(reading: Reading[Snapshot]) -> Iterator[Answer]:
        devices = [one for one in reading.parsed.value.devices if not one.is_vf]
        for device in devices:
            subject = subjects.node(reading.host, device.name)
            if not device.pci:
                words = "no PCI device: it is made in software"
                yield said(Verdict.SKIP, words, subject, reading)
            elif device.numa_node is None:
                yield said(Verdict.WARN, "the NUMA node is not known", subject, reading)
            else:
                words = f"NUMA node {device.numa_node}"
                yield said(Verdict.PASS, words, subject, reading)
        if not devices:
            yield said(Verdict.UNKNOWN, "no RDMA device is told of", place(reading), reading)

    yield from each(facts, sysfs_rdma.parse, judge)
