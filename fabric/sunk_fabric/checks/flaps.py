"""Links that went down and came back, by the kernel's log."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import dmesg, sysfs_rdma
from sunk_fabric.parse.dmesg import KernelLine, KernelLog, moment

DAY_SECONDS = 86_400
MANY = 5
"""Times in a day. Published health checks of one cloud."""
_DOWN = re.compile(
    r"mlx5_core ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?: \S{1,40})?: Link down\b.*"
)


def links(facts: Facts) -> Iterator[Answer]:
    """No link went down five times within a day; the log must reach as far back to say so."""
    layers: dict[str, set[str]] = {}
    for one in sound(facts, sysfs_rdma.parse):
        ports = (port for device in one.parsed.value.devices for port in device.ports)
        layers.setdefault(one.host, set()).update(
            port.values.get("link_layer", "") for port in ports
        )

    def judge(reading: Reading[KernelLog]) -> Iterator[Answer]:
        now = moment(reading.at)
        down: dict[str, list[KernelLine]] = defaultdict(list)
        for line in reading.parsed.value.lines:
            if (match := _DOWN.fullmatch(line.text)) and _recent(line, now):
                down[match[1]].append(line)
        for address, lines in sorted(down.items()):
            subject = subjects.node(reading.host, address)
            yield said(*_times(lines, now), subject, reading)
        if not down:
            there = layers.get(reading.host, set())
            yield said(*_quiet(reading.parsed.value, now, there), place(reading), reading)

    yield from each(facts, dmesg.parse, judge)


def _recent(line: KernelLine, now: float | None) -> bool:
    """Return whether it may have been within the last day: a time that is not known may."""
    return line.at is None or now is None or now - line.at <= DAY_SECONDS


def _times(lines: list[KernelLine], now: float | None) -> tuple[Verdict, str]:
    timed = now is not None and all(one.at is not None for one in lines)
    words = f"{len(lines)} times down, the last: {lines[-1].text}"
    if len(lines) >= MANY and not timed:
        return Verdict.UNKNOWN, f"{words}; whether within a day is not told"
    return (Verdict.FAIL if len(lines) >= MANY else Verdict.WARN), words


def _quiet(log: KernelLog, now: float | None, layers: set[str]) -> tuple[Verdict, str]:
    if log.first is None or now is None:
        return Verdict.UNKNOWN, "no link went down; how far the log reaches back is not told"
    hours = (now - log.first) / 3600
    words = f"no link went down in the {hours:.1f} h that the log reaches back"
    if hours * 3600 < DAY_SECONDS:
        return Verdict.UNKNOWN, f"{words}, less than a day"
    if layers != {"Ethernet"}:
        words = f"{words}; of InfiniBand links it does not tell, rdma.counters.delta does"
        return Verdict.UNKNOWN, words
    return Verdict.PASS, words
