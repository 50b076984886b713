"""GPUs as their own tools tell them: memory, PCIe, NVLink domain."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, place, said, sound, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import imex, nccl_log, nvidia_smi, proc_modules
from sunk_fabric.parse.imex import Domain
from sunk_fabric.parse.nvidia_smi import Gpu, Gpus
from sunk_jobs.networks.nccl_log import NcclLog

Judged = tuple[Verdict, str]
COMPLETED = ("Completed", "Success")
PEER_MEMORY = frozenset({"nvidia_peermem", "nv_peer_mem"})
BUSY_PERCENT = 10
"""Below it a GPU may have lowered its link to save power. Proposal."""


def _each_gpu(facts: Facts, judged: Callable[[Gpu], Judged]) -> Iterator[Answer]:
    def judge(reading: Reading[Gpus]) -> Iterator[Answer]:
        for one in reading.parsed.value.gpus:
            yield said(*judged(one), subjects.node(reading.host, one.address), reading)
        if not reading.parsed.value.gpus:
            yield said(Verdict.UNKNOWN, "no GPU is told of", place(reading), reading)

    yield from each(facts, nvidia_smi.parse, judge)


def memory(facts: Facts) -> Iterator[Answer]:
    """No remap of rows is pending or has failed, and ECC is on."""

    def judged(one: Gpu) -> Judged:
        told = {"pending": one.remap_pending, "failed": one.remap_failed}
        bad = [name for name, value in told.items() if value == "Yes"]
        if bad or one.ecc == "Disabled":
            words = [f"a remap of rows is {name}" for name in bad]
            words += ["ECC is off"] if one.ecc == "Disabled" else []
            return Verdict.FAIL, ", ".join(words)
        if any(value != "No" for value in told.values()) or one.ecc != "Enabled":
            return Verdict.UNKNOWN, "remapped rows or ECC are not told"
        return Verdict.PASS, "no remap pending or failed, ECC is on"

    yield from _each_gpu(facts, judged)


def link(facts: Facts) -> Iterator[Answer]:
    """PCIe at its best; a low generation says nothing of an idle GPU."""

    def judged(one: Gpu) -> Judged:
        if None in {one.generation, one.best_generation, one.width, one.best_width}:
            return Verdict.UNKNOWN, "the PCIe link is not told"
        there = f"generation {one.generation} x{one.width}"
        best = f"{one.best_generation} x{one.best_width} possible"
        words = f"{there}, {best}"
        if (one.width or 0) < (one.best_width or 0):
            return Verdict.FAIL, words
        if (one.generation or 0) >= (one.best_generation or 0):
            return Verdict.PASS, words
        if one.busy_percent is None or one.busy_percent < BUSY_PERCENT:
            return Verdict.SKIP, f"{words}, and the GPU is idle"
        return Verdict.FAIL, f"{words}, with {one.busy_percent} % load"

    yield from _each_gpu(facts, judged)


def domain(facts: Facts) -> Iterator[Answer]:
    """Every GPU of a host has joined one NVLink domain."""

    def judge(reading: Reading[Gpus]) -> Iterator[Answer]:
        gpus = [one for one in reading.parsed.value.gpus if one.fabric_state]
        late = [one for one in gpus if (one.fabric_state, one.fabric_status) != COMPLETED]
        domains = sorted({f"{one.cluster}/{one.clique}" for one in gpus})
        subject = place(reading)
        if not reading.parsed.value.gpus:
            yield said(Verdict.UNKNOWN, "no GPU is told of", subject, reading)
        elif not gpus:
            yield said(Verdict.SKIP, "GPUs of this kind join no fabric", subject, reading)
        elif late:
            one = late[0]
            words = f"{one.address}: {one.fabric_state}, {one.fabric_status or 'no status'}"
            yield said(Verdict.FAIL, f"{len(late)} GPUs, {words}", subject, reading)
        elif len(gpus) < len(reading.parsed.value.gpus):
            words = "some GPUs do not tell of their fabric"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            verdict = Verdict.PASS if len(domains) == 1 else Verdict.FAIL
            yield said(verdict, f"{len(gpus)} GPUs in {', '.join(domains)}", subject, reading)

    yield from each(facts, nvidia_smi.parse, judge)


def memory_domain(facts: Facts) -> Iterator[Answer]:
    """Every host of a GPU's NVLink domain is ready to share memory with the others."""
    services = {one.host: one for one in facts.of(imex.parse)}

    def judge(reading: Reading[Gpus]) -> Iterator[Answer]:
        service = services.get(reading.host)
        subject = place(reading)
        if not any(one.cluster.strip("0-") for one in reading.parsed.value.gpus):
            words = "no GPU is in an NVLink domain of several hosts"
            yield said(Verdict.SKIP, words, subject, reading)
        elif service is None:
            yield said(Verdict.UNKNOWN, missing(imex.parse).found, subject, reading)
        elif wrong := trouble(service):
            yield said(Verdict.UNKNOWN, wrong, subject, reading, service)
        else:
            yield said(*_domain(service.parsed.value), subject, reading, service)

    yield from each(facts, nvidia_smi.parse, judge)


def _domain(one: Domain) -> Judged:
    members = sorted(one.nodes.items())
    words = [f"{each.host} is {each.status}" for _, each in members if each.status != "READY"]
    words += [
        f"{each.host} to {other.host} is {other.status}"
        for _, each in members
        for _, other in sorted(each.connections.items())
        if other.status != "CONNECTED"
    ]
    if one.status != "UP" or words:
        return Verdict.FAIL, "; ".join([f"the domain is {one.status}", *words])
    return Verdict.PASS, f"{len(members)} hosts are ready"


def direct(facts: Facts) -> Iterator[Answer]:
    """Adapters can read GPU memory: a module is loaded, or NCCL found another way."""
    modules = {one.host: one for one in sound(facts, proc_modules.parse)}
    said_by: dict[str, list[tuple[bool, Reading[NcclLog]]]] = {}
    for log in sound(facts, nccl_log.parse):
        for name, process in sorted(log.parsed.value.processes.items()):
            host = name.partition(":")[0]
            said_by.setdefault(host, []).extend((on, log) for on in process.gdr.values())

    def judge(reading: Reading[Gpus]) -> Iterator[Answer]:
        loaded = modules.get(reading.host)
        told = said_by.get(reading.host, [])
        subject = place(reading)
        if not reading.parsed.value.gpus:
            yield said(Verdict.UNKNOWN, "no GPU is told of", subject, reading)
        elif told and not all(on for on, _ in told):
            words = "NCCL found no GPUDirect RDMA for an adapter"
            yield said(Verdict.FAIL, words, subject, reading, *(log for _, log in told))
        elif told:
            words = "NCCL uses GPUDirect RDMA"
            yield said(Verdict.PASS, words, subject, reading, *(log for _, log in told))
        elif loaded and PEER_MEMORY & loaded.parsed.value:
            yield said(Verdict.PASS, "nvidia_peermem is loaded", subject, reading, loaded)
        else:
            words = "nvidia_peermem is not loaded" if loaded else missing(proc_modules.parse).found
            words += "; whether dma-buf works is shown by NCCL's log"
            yield said(Verdict.UNKNOWN, words, subject, reading)

    yield from each(facts, nvidia_smi.parse, judge)
