"""What the kernel's log says of adapters, GPUs and slots."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import dmesg, sysfs_rdma
from sunk_fabric.parse.dmesg import KernelLine, KernelLog, moment
from sunk_fabric.parse.nvidia_smi import normal

DEATHS = (
    "command leak",
    "timeout. Will cause a leak of a command resource",
    "health compromised - reached miss count",
    "unrecoverable hardware error",
    "soft lockup",
)
COMPLAINTS = ("insufficient power on the PCIe slot", "High Temperature", "Cable unplugged")
FATAL_XIDS = frozenset(
    {
        *(48, 56, 57, 58, 62, 63, 64, 65, 68, 69, 73, 74, 79, 80, 81, 92, 119, 120),
    }
)
XID_WINDOW_SECONDS = 2 * 3600
ROOM = 1.15
"""Of the port's rate, that the slot must have. Proposal."""
_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]{4,16})\): (\d{1,4})\b")
_SXID = re.compile(
    r"nvidia-nvswitch\d{1,2}: SXid \(PCI:([0-9a-fA-F:.]{4,16})\): (\d{1,6}), (\w[\w-]*)"
)
_SLOT = re.compile(
    r"mlx5_core ([0-9a-f:.]{7,16}): (\d{1,5}\.\d{1,3}) Gb/s available PCIe bandwidth"
    r"(, limited by .*)?.*"
)
_RATE = re.compile(r"(\d{1,5}(?:\.\d)?) Gb/sec")


def mlx5(facts: Facts) -> Iterator[Answer]:
    """No line that tells of a dead or complaining adapter."""

    def judge(reading: Reading[KernelLog]) -> Iterator[Answer]:
        lines = [one.text for one in reading.parsed.value.lines if "mlx5" in one.text]
        dead = [one for one in lines if any(word in one for word in DEATHS)]
        sorry = [one for one in lines if any(word in one for word in COMPLAINTS)]
        if dead or sorry:
            words = f"{len(dead or sorry)} lines, the last: {(dead or sorry)[-1]}"
            yield said(Verdict.FAIL if dead else Verdict.WARN, words, place(reading), reading)
        else:
            words = f"nothing of the kind in {reading.parsed.lines} lines"
            yield said(Verdict.PASS, words, place(reading), reading)

    yield from each(facts, dmesg.parse, judge)


def xid(facts: Facts) -> Iterator[Answer]:
    """No fatal event of a GPU or its switches within two hours before the log was taken."""

    def judge(reading: Reading[KernelLog]) -> Iterator[Answer]:
        fatal = [one for one in reading.parsed.value.lines if _is_fatal(one.text)]
        now = moment(reading.at)
        # A time that is not known may be a recent one.
        recent = [one for one in fatal if now is None or _age(one, now) <= XID_WINDOW_SECONDS]
        if fatal:
            shown = (recent or fatal)[-1].text
            words = f"{len(recent)} within two hours, {len(fatal)} in all, the last: {shown}"
            verdict = Verdict.FAIL if recent else Verdict.WARN
            yield said(verdict, words, place(reading), reading)
        else:
            words = f"no fatal event in {reading.parsed.lines} lines"
            yield said(Verdict.PASS, words, place(reading), reading)

    yield from each(facts, dmesg.parse, judge)


def _age(line: KernelLine, now: float) -> float:
    return 0.0 if line.at is None else now - line.at


def _is_fatal(text: str) -> bool:
    gpu, fabric = _XID.search(text), _SXID.search(text)
    return bool((gpu and int(gpu[2]) in FATAL_XIDS) or (fabric and fabric[3] == "Fatal"))


def slots(facts: Facts) -> Iterator[Answer]:
    """The kernel measured each adapter's slot when its driver started, and found it wide enough."""
    rates: dict[tuple[str, str], float] = {}
    for view in sound(facts, sysfs_rdma.parse):
        for device in view.parsed.value.devices:
            told = [_RATE.match(port.values.get("rate", "")) for port in device.ports]
            if device.pci and any(told):
                best = max(float(one[1]) for one in told if one)
                rates[view.host, device.pci[0].address] = best

    def judge(reading: Reading[KernelLog]) -> Iterator[Answer]:
        found = [_SLOT.fullmatch(one.text) for one in reading.parsed.value.lines]
        last = {normal(one[1]): one for one in found if one}
        for address, one in sorted(last.items()):
            subject = subjects.node(reading.host, address)
            rate = rates.get((reading.host, address))
            words = f"{one[2]} Gb/s available{one[3] or ''}"
            if not one[3]:
                yield said(Verdict.PASS, words, subject, reading)
            elif rate is None or float(one[2]) >= ROOM * rate:
                yield said(Verdict.WARN, words, subject, reading)
            else:
                words = f"{words}; the port has {rate:g} Gb/s"
                yield said(Verdict.FAIL, words, subject, reading)
        if not last:
            words = "no adapter's start is in the log: it is cut at its beginning, or there is none"
            yield said(Verdict.UNKNOWN, words, place(reading), reading)

    yield from each(facts, dmesg.parse, judge)
