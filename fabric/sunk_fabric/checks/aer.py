"""PCIe's own error counters, between two readings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said
from sunk_fabric.checks.lossless import windows
from sunk_fabric.facts import Facts
from sunk_fabric.parse import sysfs_rdma
from sunk_fabric.parse.dmesg import moment
from sunk_jobs.sysfs_rdma import PciFunction, RdmaDevice

KINDS = ("fatal", "nonfatal", "correctable")
CORRECTABLE_PER_HOUR = 10
"""Proposal."""
_TOTAL = re.compile(r"^TOTAL_ERR_\w{3,5} (\d{1,20})$", re.MULTILINE)


def errors(facts: Facts) -> Iterator[Answer]:
    """No growth of fatal or other errors along each adapter's path."""
    yield from each(facts, sysfs_rdma.parse, lambda _reading: ())
    for first, last in windows(facts, sysfs_rdma.parse):
        old = {one.name: one for one in first.parsed.value.devices}
        start, end = moment(first.at), moment(last.at)
        hours = (end - start) / 3600 if start is not None and end is not None else 0.0
        for device in last.parsed.value.devices:
            if device.is_vf or not device.pci:
                continue
            subject = subjects.node(last.host, device.name)
            before = None if first is last else old.get(device.name)
            yield said(*_grown(device, before, hours), subject, first, last)
        if not any(one.pci for one in last.parsed.value.devices):
            yield said(Verdict.SKIP, "no RDMA device with PCI here", place(last), last)


def _grown(device: RdmaDevice, old: RdmaDevice | None, hours: float) -> tuple[Verdict, str]:
    before = {one.address: one for one in old.pci} if old else {}
    totals = dict.fromkeys(KINDS, 0)
    told = 0
    for function in device.pci:
        for kind in KINDS:
            new = _total(function, kind)
            was = _total(before[function.address], kind) if function.address in before else None
            if new is not None and was is not None:
                told += 1
                totals[kind] += new - was
                if new < was:
                    return Verdict.UNKNOWN, f"{kind} errors of {function.address} went down"
    words = ", ".join(f"{kind} +{count}" for kind, count in totals.items())
    if not told or hours <= 0:
        return Verdict.UNKNOWN, "error counters of two readings are needed"
    if totals["fatal"] or totals["nonfatal"]:
        return Verdict.FAIL, words
    much = totals["correctable"] / hours > CORRECTABLE_PER_HOUR and totals["correctable"] > 1
    return (Verdict.WARN if much else Verdict.PASS), f"{words} in {hours:.2f} h"


def _total(function: PciFunction, kind: str) -> int | None:
    found = _TOTAL.search(function.values.get(f"aer_dev_{kind}", ""))
    return int(found[1]) if found else None
