"""GPUs, adapters and processors: how near they are to each other."""

from __future__ import annotations

from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, place, said, sound
from sunk_fabric.checks.collectives import each_log
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import nvidia_topo, sysfs_rdma, task_cpus
from sunk_fabric.parse.nvidia_topo import NEAREST_FIRST, Matrix
from sunk_fabric.parse.task_cpus import OpenDevice
from sunk_jobs.networks.nccl_log import NcclLog, Process
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


def ranks(facts: Facts) -> Iterator[Answer]:
    """Each GPU's channels leave the node by an adapter as near as any."""
    matrices = {one.host: one for one in sound(facts, nvidia_topo.parse)}

    def judge(reading: Reading[NcclLog], subject: str) -> Iterator[Answer]:
        asked = 0
        for name, process in sorted(reading.parsed.value.processes.items()):
            host, _, number = name.rpartition(":")
            there = matrices.get(host)
            for gpu, adapter in _uplinks(process):
                asked += 1
                part = f"{subject}/{host}/{number}/{gpu or 'GPU'}"
                if there is None:
                    words = f"{missing(nvidia_topo.parse).found} of {host}"
                    yield said(Verdict.UNKNOWN, words, part, reading)
                else:
                    verdict, words = _uplink(there.parsed.value, gpu, adapter)
                    yield said(verdict, words, part, reading, there)
        if not asked:
            words = "no channel tells the adapter by which its GPU leaves the node"
            yield said(Verdict.UNKNOWN, words, subject, reading)

    yield from each_log(facts, judge)


def _uplinks(process: Process) -> Iterator[tuple[str, str]]:
    """Yield GPU and adapter by name; empty for one that the log does not tell."""
    names = {one.index: one.name for one in process.hcas}
    for one in sorted(process.uplinks, key=lambda one: (one.gpu is None, one.gpu, one.adapter)):
        gpu = "" if one.gpu is None else f"GPU{one.gpu}"
        yield gpu, names.get(one.adapter, "")


def _uplink(found: Matrix, gpu: str, adapter: str) -> tuple[Verdict, str]:
    devices = {found.nics.get(one, one): one for one in found.names if not one.startswith("GPU")}
    column = devices.get(adapter)
    if not gpu or not adapter:
        return Verdict.UNKNOWN, f"the log does not name the {'adapter' if gpu else 'GPU'}"
    if column is None or (gpu, column) not in found.cells:
        return Verdict.UNKNOWN, f"nvidia-smi does not tell of {gpu} and {adapter}"
    cell = found.cells[gpu, column]
    near = min((found.cells[gpu, one] for one in devices.values()), key=_distance)
    if cell == "SYS":
        return Verdict.FAIL, f"{adapter} is at SYS, another at {near}"
    if _distance(cell) > _distance(near):
        return Verdict.WARN, f"{adapter} is at {cell}, another at {near}"
    return Verdict.PASS, f"{adapter} is at {cell}"


def tasks(facts: Facts) -> Iterator[Answer]:
    """Each task of a job may use processors alone that are near what it has open."""

    def judge(reading: Reading[tuple[OpenDevice, ...]]) -> Iterator[Answer]:
        of_task: dict[tuple[int, int, int], list[OpenDevice]] = {}
        for one in reading.parsed.value:
            of_task.setdefault((one.job, one.rank, one.pid), []).append(one)
        for (job, rank, pid), devices in sorted(of_task.items()):
            subject = subjects.node(reading.host, f"job {job}", f"rank {rank}", str(pid))
            yield said(*_task(devices), subject, reading)
        if not of_task:
            yield said(Verdict.SKIP, task_cpus.NONE, place(reading), reading)

    yield from each(facts, task_cpus.parse, judge)


def _task(devices: list[OpenDevice]) -> tuple[Verdict, str]:
    allowed = devices[0].allowed
    names = ", ".join(sorted({one.device for one in devices}))
    unknown = sorted({one.device for one in devices if not one.near})
    places = {one.near for one in devices if one.near}
    if unknown:
        return Verdict.UNKNOWN, f"which processors are near {unknown[0]}, the kernel does not say"
    if any(allowed <= one for one in places):
        return Verdict.PASS, f"{len(allowed)} processors, near {names}"
    if not any(allowed & one for one in places):
        return Verdict.WARN, f"none of its {len(allowed)} processors is near {names}"
    if len(places) > 1:
        words = f"it has devices of {len(places)} places open: NCCL's log tells which it uses"
        return Verdict.SKIP, words
    far = len(allowed - next(iter(places)))
    return Verdict.WARN, f"{far} of its {len(allowed)} processors are not near {names}"
