"""Adapters and ports of hosts as one table, from sysfs or ibstat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sunk_fabric import subjects
from sunk_fabric.checks.answers import sound, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ibstat, sysfs_rdma
from sunk_jobs.sysfs_rdma import Snapshot


@dataclass(frozen=True, slots=True)
class PortRow:
    """One port.

    Attributes:
        host: its host.
        device: ``mlx5_0``.
        number: from 1.
        state: lower case: ``active``, ``down``, ``initializing``; empty when not told.
        physical: lower case: ``linkup``, ``polling``; empty when not told.
        rate_gbit_per_s: nothing when not told.
        reading: what says so.
    """

    host: str
    device: str
    number: int
    state: str
    physical: str
    rate_gbit_per_s: float | None
    reading: Reading[Any]

    @property
    def subject(self) -> str:
        """Return the port's path."""
        return subjects.node(self.host, self.device, str(self.number))


@dataclass(frozen=True, slots=True)
class HostTable:
    """What one host says.

    Attributes:
        host: its name.
        devices: names of physical adapters, without virtual functions.
        ports: of all of them.
        reading: what says so.
    """

    host: str
    devices: tuple[str, ...]
    ports: tuple[PortRow, ...]
    reading: Reading[Any]


_STATES = {"init": "initializing"}


def tables(facts: Facts) -> Mapping[str, HostTable]:
    """Return one table for every host with a sound reading: sysfs where there is one."""
    found = {one.host: _from_ibstat(one) for one in sound(facts, ibstat.parse)}
    found |= {one.host: _from_sysfs(one) for one in sound(facts, sysfs_rdma.parse)}
    return dict(sorted(found.items()))


def silent(facts: Facts) -> Iterator[tuple[str, Reading[Any], str]]:
    """Yield hosts whose readings are all unsound, with one of them and what is wrong."""
    known = tables(facts)
    readings: tuple[Reading[Any], ...] = (*facts.of(sysfs_rdma.parse), *facts.of(ibstat.parse))
    unsound = {one.host: one for one in readings if one.host not in known}
    for host, one in sorted(unsound.items()):
        yield host, one, trouble(one)


def _from_ibstat(reading: Reading[tuple[ibstat.Adapter, ...]]) -> HostTable:
    adapters = reading.parsed.value
    rows = tuple(
        PortRow(
            reading.host,
            adapter.name,
            port.number,
            port.state.lower(),
            port.physical.lower(),
            port.rate_gbit_per_s,
            reading,
        )
        for adapter in adapters
        for port in adapter.ports
    )
    return HostTable(reading.host, tuple(one.name for one in adapters), rows, reading)


def _from_sysfs(reading: Reading[Snapshot]) -> HostTable:
    devices = [one for one in reading.parsed.value.devices if not one.is_vf]
    rows = tuple(
        PortRow(
            reading.host,
            device.name,
            port.number,
            _word(port.values.get("state", "")),
            _word(port.values.get("phys_state", "")),
            _rate(port.values.get("rate", "")),
            reading,
        )
        for device in devices
        for port in device.ports
    )
    return HostTable(reading.host, tuple(one.name for one in devices), rows, reading)


def _word(text: str) -> str:
    """Return the word of ``4: ACTIVE``, lower case."""
    word = text.partition(":")[2].strip().lower()
    return _STATES.get(word, word)


def _rate(text: str) -> float | None:
    """Return the number of ``400 Gb/sec (4X NDR)``."""
    found = re.match(r"(\d{1,5}(?:\.\d)?) Gb/sec", text)
    return float(found[1]) if found else None
