"""Hosts as machines: clock, parts, software, settings."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.amounts import gpus_of
from sunk_fabric.checks.answers import each, missing, place, said, sound
from sunk_fabric.checks.pcie import ADAPTERS, VENDOR
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import (
    chronyc,
    kernel_files,
    lspci,
    nvidia_smi,
    ofed_version,
    sysfs_rdma,
    timedatectl,
    uname,
)
from sunk_fabric.parse.chronyc import Tracking
from sunk_jobs.sysfs_rdma import Snapshot

Files = Mapping[str, tuple[str, ...]]
WARN_SECONDS, FAIL_SECONDS = 0.05, 1.0
MEMORY_SHARE = 0.97
_UNTOLD = {
    "adapters": "which cards of other makers speak RDMA is not told",
    "GiB of memory": "memory is not told",
}
_GOVERNOR = re.compile(r"devices/system/cpu/cpu\d+/cpufreq/scaling_governor")
_PAGES = re.compile(r"kernel/mm/hugepages/hugepages-(\w+)/nr_hugepages")
_MEMORY = re.compile(r"MemTotal:\s+(\d{1,15}) kB")


def clock(facts: Facts) -> Iterator[Answer]:
    """The clock is near its source."""
    tracked = {one.host for one in sound(facts, chronyc.parse)}
    others = [one for one in facts.of(timedatectl.parse) if one.host not in tracked]

    def judge(reading: Reading[Tracking]) -> Iterator[Answer]:
        one = reading.parsed.value
        off = abs(one.offset_seconds or 0.0)
        words = f"{one.offset_seconds or 0.0:+.6f} s, {one.leap}"
        verdict = Verdict.WARN if off > WARN_SECONDS else Verdict.PASS
        if off > FAIL_SECONDS or one.leap == "Not synchronised":
            verdict = Verdict.FAIL
        yield said(verdict, words, place(reading), reading)

    def told(reading: Reading[Mapping[str, str]]) -> Iterator[Answer]:
        if reading.parsed.value[timedatectl.SYNCHRONISED] == "no":
            yield said(Verdict.FAIL, "it is not synchronised", place(reading), reading)
        else:
            words = "synchronised; how far it is off is not told"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)

    silent = {one.host for one in others}
    if tracked or not others:
        for answer in each(facts, chronyc.parse, judge):
            if answer.subject not in {subjects.node(host) for host in silent}:
                yield answer
    for answer in each(facts, timedatectl.parse, told) if others else ():
        if answer.subject not in {subjects.node(host) for host in tracked}:
            yield answer


def governor(facts: Facts) -> Iterator[Answer]:
    """No processor saves power."""

    def judge(reading: Reading[Files]) -> Iterator[Answer]:
        found = Counter(
            one[0] for path, one in reading.parsed.value.items() if _GOVERNOR.fullmatch(path)
        )
        words = ", ".join(f"{name} on {count}" for name, count in sorted(found.items()))
        if not found:
            words = "no governor: the machine or its hypervisor sets the clock"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)
        else:
            verdict = Verdict.PASS if set(found) == {"performance"} else Verdict.WARN
            yield said(verdict, words, place(reading), reading)

    yield from each(facts, kernel_files.parse, judge)


def balancing(facts: Facts) -> Iterator[Answer]:
    """Pages stay where they are, and DMA is not translated."""

    def judge(reading: Reading[Files]) -> Iterator[Answer]:
        files = reading.parsed.value
        moves = files.get("/proc/sys/kernel/numa_balancing", ("",))[0]
        line = " ".join(files.get("/proc/cmdline", ()))
        translates = re.search(r"\b(?:intel|amd)_iommu=on\b", line) and "iommu=pt" not in line
        wrong = [f"numa_balancing is {moves}"] if moves not in {"", "0"} else []
        wrong += ["the IOMMU translates"] if translates else []
        if wrong:
            yield said(Verdict.WARN, ", ".join(wrong), place(reading), reading)
        elif not moves or not line:
            words = "numa_balancing or the kernel's command line is not told"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)
        else:
            yield said(Verdict.PASS, "numa_balancing is 0", place(reading), reading)

    yield from each(facts, kernel_files.parse, judge)


def hugepages(facts: Facts) -> Iterator[Answer]:
    """As many huge pages of each size as declared."""
    wanted = facts.expected.hugepages

    def judge(reading: Reading[Files]) -> Iterator[Answer]:
        there = {
            match[1]: int(one[0])
            for path, one in reading.parsed.value.items()
            if (match := _PAGES.fullmatch(path)) and one[0].isdecimal()
        }
        few = [
            f"{size}: {there.get(size, 0)}, {count} declared"
            for size, count in sorted(wanted.items())
            if there.get(size, 0) < count
        ]
        words = ", ".join(f"{size}: {count}" for size, count in sorted(there.items()))
        if not wanted:
            words = f"{words or 'none'}; no huge pages are declared"
            yield said(Verdict.SKIP, words, place(reading), reading)
        elif not there:
            yield said(Verdict.UNKNOWN, "huge pages are not told", place(reading), reading)
        else:
            verdict = Verdict.FAIL if few else Verdict.PASS
            yield said(verdict, "; ".join(few) or words, place(reading), reading)

    yield from each(facts, kernel_files.parse, judge)


def software(facts: Facts) -> Iterator[Answer]:
    """One kernel, one set of RDMA software, one GPU driver on all hosts."""
    kinds: dict[str, dict[str, list[Reading[Any]]]] = defaultdict(lambda: defaultdict(list))
    for one in sound(facts, uname.parse):
        kinds["kernel"][one.parsed.value.release].append(one)
    for two in sound(facts, ofed_version.parse):
        kinds["RDMA software"][two.parsed.value].append(two)
    for three in sound(facts, nvidia_smi.parse):
        kinds["GPU driver"][three.parsed.value.driver].append(three)
    if not kinds:
        yield missing(uname.parse)
    for kind, versions in sorted(kinds.items()):
        counts = [(len(many), version) for version, many in versions.items()]
        words = ", ".join(
            f"{version} on {count}" for count, version in sorted(counts, reverse=True)
        )
        every = [one for many in versions.values() for one in many]
        verdict = Verdict.PASS if len(versions) == 1 else Verdict.WARN
        yield said(verdict, f"{words} hosts", f"software/{kind}", *every)


def parts(facts: Facts) -> Iterator[Answer]:
    """As many GPUs and adapters, and as much memory, as declared."""
    wanted = facts.expected
    files = {one.host: one for one in sound(facts, kernel_files.parse)}
    devices = {one.host: one for one in sound(facts, sysfs_rdma.parse)}

    def judge(reading: Reading[tuple[lspci.PciDevice, ...]]) -> Iterator[Answer]:
        known, seen = files.get(reading.host), devices.get(reading.host)
        memory = _memory_gib(known.parsed.value) if known else None
        least = None if wanted.memory_gib_per_host is None else wanted.memory_gib_per_host
        rows = (
            ("GPUs", len(gpus_of(reading)), wanted.gpus_per_host, 1.0),
            ("adapters", _adapters(reading, seen), wanted.adapters_per_host, 1.0),
            ("GiB of memory", memory, least, MEMORY_SHARE),
        )
        declared = [row for row in rows if row[2] is not None]
        few = [
            f"{count:g} {name}, {want:g} declared"
            for name, count, want, share in declared
            if count is not None and want is not None and count < want * share
        ]
        words = ", ".join(f"{count:g} {name}" for name, count, _, _ in rows if count is not None)
        used = tuple(one for one in (reading, known, seen) if one is not None)
        untold = [name for name, count, _, _ in declared if count is None]
        if few:
            yield said(Verdict.FAIL, "; ".join(few), place(reading), *used)
        elif not declared or untold:
            why = _UNTOLD[untold[0]] if untold else "nothing is declared"
            yield said(Verdict.UNKNOWN, f"{words}; {why}", place(reading), *used)
        else:
            yield said(Verdict.PASS, words, place(reading), *used)

    yield from each(facts, lspci.parse, judge)


def _adapters(
    reading: Reading[tuple[lspci.PciDevice, ...]], seen: Reading[Snapshot] | None
) -> int | None:
    """Return how many RDMA devices a host's parts make; nothing when the text cannot tell.

    lspci does not say which cards of other makers speak RDMA: the kernel does.
    """
    cards = [one for one in reading.parsed.value if one.kind in ADAPTERS]
    functions = {
        one.address for one in cards if VENDOR in one.name and "Virtual Function" not in one.name
    }
    if seen is None:
        return len(functions) if functions or not cards else None
    own = [one for one in seen.parsed.value.devices if not one.is_vf]
    functions |= {one.pci[0].address for one in own if one.pci}
    return len(functions) + sum(1 for one in own if not one.pci)


def _memory_gib(files: Files) -> float | None:
    for line in files.get("/proc/meminfo", ()):
        if match := _MEMORY.fullmatch(line):
            return int(match[1]) / 2**20
    return None
