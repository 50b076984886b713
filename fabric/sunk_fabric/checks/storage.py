"""Storage: its rates beside those that were contracted, and its adapters."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.checks.declared import Figure, beside
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import fio, gdscheck, io500, mdtest, sysfs_rdma
from sunk_fabric.parse.fio import Direction, Job, Run
from sunk_fabric.parse.gdscheck import Direct
from sunk_fabric.parse.io500 import Phase
from sunk_fabric.parse.mdtest import Rates
from sunk_fabric.parse.text import guid
from sunk_jobs.sysfs_rdma import RdmaDevice, Snapshot

LEAST_SECONDS = 30
"""Shorter runs may end in the caches of clients and servers. Proposal."""


def bandwidth(facts: Facts) -> Iterator[Answer]:
    """Files are read and written as fast as contracted."""
    yield from beside(
        facts,
        facts.expected.storage_gb_per_s,
        (fio.parse, _of_fio),
        (io500.parse, lambda one: _of_phases(one.bandwidth, "GB/s")),
    )


def metadata(facts: Facts) -> Iterator[Answer]:
    """Files are made, looked at and taken away as fast as contracted."""
    yield from beside(
        facts,
        facts.expected.metadata_per_s,
        (mdtest.parse, _of_mdtest),
        (io500.parse, lambda one: _of_phases(one.metadata, "/s")),
    )


def _of_mdtest(one: Rates) -> Mapping[str, Figure]:
    return {name: Figure(rate, "/s") for name, rate in one.per_second.items()}


def _of_phases(phases: Mapping[str, Phase], unit: str) -> Mapping[str, Figure]:
    doubt = "the benchmark calls the phase invalid"
    return {
        name: Figure(one.value, unit, "" if one.valid else doubt) for name, one in phases.items()
    }


def _of_fio(run: Run) -> Mapping[str, Figure]:
    """Return what jobs did that ran together, of the fastest such group without a doubt."""
    found: dict[str, Figure] = {}
    for way in ("read", "write"):
        groups: dict[int, list[Job]] = {}
        for job in run.jobs:
            if _way(job, way).io_bytes:
                groups.setdefault(job.groupid, []).append(job)
        rates = [
            Figure(
                sum(_way(job, way).bw_bytes for job in jobs) / 1e9, "GB/s", _doubt(run, jobs, way)
            )
            for _, jobs in sorted(groups.items())
        ]
        if rates:
            found[way] = max(rates, key=lambda one: (not one.doubt, one.value))
    return found


def _way(job: Job, way: str) -> Direction:
    return job.read if way == "read" else job.write


def _doubt(run: Run, jobs: list[Job], way: str) -> str:
    failed = next((job for job in jobs if job.error), None)
    if failed is not None:
        return f"job {failed.jobname} ended with error {failed.error}"
    if any({**run.options, **job.options}.get("direct", "0") != "1" for job in jobs):
        return "without direct=1 it may be the rate of the host's own memory"
    seconds = min(_way(job, way).runtime for job in jobs) / 1000
    if seconds < LEAST_SECONDS:
        return f"it took {seconds:.0f} s, {LEAST_SECONDS} and more say something"
    return ""


def direct(facts: Facts) -> Iterator[Answer]:
    """The declared file systems read straight into GPU memory."""
    wanted = facts.expected.storage_gds

    def judge(reading: Reading[Direct]) -> Iterator[Answer]:
        found = reading.parsed.value
        for name in sorted(wanted):
            told = found.drivers.get(name, "not told of")
            subject = subjects.node(reading.host, name)
            if told != "Supported":
                yield said(Verdict.FAIL, f"{name} is {told}", subject, reading)
            elif found.forced:
                words = "force_compat_mode takes all through host memory"
                yield said(Verdict.FAIL, words, subject, reading)
            elif not found.verified:
                words = f"{name} is supported, and the platform was not found fit"
                yield said(Verdict.FAIL, words, subject, reading)
            else:
                yield said(Verdict.PASS, f"{name} is supported", subject, reading)
        if not wanted:
            words = "no file system is declared to need it"
            yield said(Verdict.SKIP, words, place(reading), reading)

    yield from each(facts, gdscheck.parse, judge)


def separate(facts: Facts) -> Iterator[Answer]:
    """Adapters for storage are not in the fabric of the others, by a scan of that."""
    wanted = frozenset(facts.expected.storage_adapters)
    if not wanted:
        words = "which adapters are for storage is not declared"
        yield said(Verdict.UNKNOWN, words, subjects.FABRIC)
        return
    if facts.scan is None or facts.audit is None:
        yield said(Verdict.UNKNOWN, "no sound scan of the fabric", subjects.FABRIC)
        return
    scan, scanned = facts.scan, facts.audit.fabric.hcas.keys()
    of_compute = any(
        _guid(device) in scanned
        for one in sound(facts, sysfs_rdma.parse)
        for device in one.parsed.value.devices
        if device.name not in wanted
    )

    def judge(reading: Reading[Snapshot]) -> Iterator[Answer]:
        devices = [one for one in reading.parsed.value.devices if one.name in wanted]
        for device in devices:
            subject = subjects.node(reading.host, device.name)
            yield said(*_apart(device, scanned, of_compute=of_compute), subject, reading, scan)
        if not devices:
            words = f"none of {', '.join(sorted(wanted))} is here"
            yield said(Verdict.UNKNOWN, words, subjects.node(reading.host), reading)

    yield from each(facts, sysfs_rdma.parse, judge)


def _guid(device: RdmaDevice) -> str:
    return guid(device.values.get("node_guid", ""))


def _apart(device: RdmaDevice, scanned: Container[str], *, of_compute: bool) -> tuple[Verdict, str]:
    if "node_guid" not in device.values:
        return Verdict.UNKNOWN, "its GUID is not told"
    if {port.values.get("link_layer") for port in device.ports} != {"InfiniBand"}:
        return Verdict.UNKNOWN, "it is not InfiniBand, and a scan does not tell of it"
    if not of_compute:
        return Verdict.UNKNOWN, "the scan is not of the fabric of compute adapters"
    if _guid(device) in scanned:
        return Verdict.FAIL, "it is in one fabric with compute adapters"
    return Verdict.PASS, "the fabric of compute adapters does not have it"
