"""Reduction in the network (SHARP): aggregation nodes, their trees, and hosts that use them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, missing, place, said, sound, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import ibdiagnet_sharp, ibnetdiscover, nccl_log, sharp_hello, sysfs_rdma
from sunk_fabric.parse.ibdiagnet_sharp import AggregationTree
from sunk_fabric.parse.ibnetdiscover import Discovery, Kind, Node
from sunk_fabric.parse.sharp_hello import Hello
from sunk_fabric.topology.audit import Audit
from sunk_fabric.topology.fabric import Fabric
from sunk_jobs.sysfs_rdma import Snapshot

FIRST_ADAPTER = 4123
"""Number of ConnectX-6, MT4123; later ones have larger numbers."""
FIRST_SWITCH = 0xD2F0
"""PCI device of Quantum; later ones have larger numbers."""
FIRST_NCCL = (2, 7, 3)
_HEXADECIMAL = re.compile(r"0x([0-9a-f]{1,8})")
_MODEL = re.compile(r"MT(\d{4,5})")
_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})")
NAMED = 4
"""Switches that a finding names; the count tells the rest."""


def _asked(facts: Facts, judge: Callable[[Audit], Iterable[Answer]]) -> Iterator[Answer]:
    scan = facts.scan
    if scan is None:
        yield missing(ibnetdiscover.parse)
        return
    wrong = trouble(scan)
    if wrong or facts.audit is None:
        yield said(Verdict.UNKNOWN, wrong, subjects.FABRIC, scan)
    elif not facts.audit.fabric.hcas:
        yield said(Verdict.UNKNOWN, "the scan has no adapter", subjects.FABRIC, scan)
    else:
        yield from judge(facts.audit)


def able(facts: Facts) -> Iterator[Answer]:
    """Adapters, switches and NCCL are of kinds that can, or a job has shown that they do."""
    hellos = [one for one in sound(facts, sharp_hello.parse) if one.parsed.value.passed]
    if hellos:
        words = f"{len(hellos)} jobs reduced in the network"
        yield said(Verdict.PASS, words, subjects.FABRIC, *hellos)
        return
    older = Verdict.FAIL if facts.expected.sharp else Verdict.SKIP

    def adapters(reading: Reading[Snapshot]) -> Iterator[Answer]:
        for device in reading.parsed.value.devices:
            subject = subjects.node(reading.host, device.name)
            yield said(*_adapter(device.values.get("hca_type", ""), older), subject, reading)
        if not reading.parsed.value.devices:
            yield said(Verdict.UNKNOWN, "no RDMA device is told of", place(reading), reading)

    def switches(_found: Audit) -> Iterator[Answer]:
        assert facts.scan is not None
        nodes = [one for one in facts.scan.parsed.value.nodes if one.kind is Kind.SWITCH]
        yield said(*_switches(nodes, older), subjects.FABRIC, facts.scan)

    yield from each(facts, sysfs_rdma.parse, adapters)
    yield from _asked(facts, switches)
    for log in sound(facts, nccl_log.parse):
        words = log.parsed.value.version
        yield said(*_library(words, older), subjects.run(log.name or log.path), log)


def _adapter(kind: str, older: Verdict) -> tuple[Verdict, str]:
    model = _MODEL.fullmatch(kind)
    if model is None:
        return Verdict.UNKNOWN, f"{kind or 'its type'} tells no model"
    if int(model[1]) >= FIRST_ADAPTER:
        return Verdict.PASS, kind
    return older, f"{kind} is older than ConnectX-6"


def _switches(nodes: list[Node], older: Verdict) -> tuple[Verdict, str]:
    kinds = [(one.description, _HEXADECIMAL.fullmatch(one.device_id)) for one in nodes]
    old = [name for name, kind in kinds if kind and int(kind[1], 16) < FIRST_SWITCH]
    silent = [name for name, kind in kinds if not kind]
    if old:
        return older, f"older than Quantum: {_named(sorted(old))}"
    if silent or not nodes:
        return Verdict.UNKNOWN, f"the kind is not told of {_named(sorted(silent)) or 'switches'}"
    return Verdict.PASS, f"{len(nodes)} switches of a kind that can"


def _library(version: str, older: Verdict) -> tuple[Verdict, str]:
    told = _VERSION.match(version)
    if told is None:
        return Verdict.UNKNOWN, "the version of NCCL is not told"
    can = tuple(int(one) for one in told.groups()) >= FIRST_NCCL
    return (Verdict.PASS if can else older), f"NCCL {told[0]}"


def count(facts: Facts) -> Iterator[Answer]:
    """An aggregation node at every switch, where SHARP was bought."""

    def judge(found: Audit) -> Iterator[Answer]:
        assert facts.scan is not None
        fabric = found.fabric
        there = {at for guid in fabric.aggregation_nodes if (at := _switch_of(fabric, guid))}
        words = (
            f"{len(fabric.aggregation_nodes)} aggregation nodes, {len(fabric.switches)} switches"
        )
        if not fabric.aggregation_nodes and not facts.expected.sharp:
            words = "no aggregation nodes, and SHARP is not declared"
            yield said(Verdict.SKIP, words, subjects.FABRIC, facts.scan)
            return
        lacking = sorted(fabric.name(guid) for guid in set(fabric.switches) - there)
        if lacking and there:
            words += f"; none at {_named(lacking)}"
        verdict = Verdict.FAIL if lacking else Verdict.PASS
        touches = (subjects.switch(name) for name in lacking)
        yield said(verdict, words, subjects.FABRIC, facts.scan, touches=touches)

    yield from _asked(facts, judge)


def _switch_of(fabric: Fabric, guid: str) -> str:
    """Return the switch that an aggregation node is in; empty when its link is down."""
    ends = (link.far(guid).guid for link in fabric.at.get(guid, ()))
    return next((one for one in ends if one in fabric.switches), "")


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def trees(facts: Facts) -> Iterator[Answer]:
    """In every plane, a tree with the aggregation nodes of all leaves that have hosts."""

    def judge(reading: Reading[tuple[AggregationTree, ...]]) -> Iterator[Answer]:
        yield from _asked(facts, lambda found: _trees(facts, found, reading))

    yield from each(facts, ibdiagnet_sharp.parse, judge)


def _trees(
    facts: Facts, found: Audit, reading: Reading[tuple[AggregationTree, ...]]
) -> Iterator[Answer]:
    assert facts.scan is not None
    fabric = found.fabric
    if not reading.parsed.value:
        yield said(Verdict.FAIL, "there is no tree", subjects.FABRIC, reading)
        return
    at = _ports(facts.scan, fabric)
    covered = [{at.get(one.guid, "") for one in tree.nodes} for tree in reading.parsed.value]
    leaves = set(found.placement.leaf_of.values())
    for number, plane in enumerate(found.planes, start=1):
        wanted = leaves & set(plane)
        best = max(covered, key=lambda one: len(wanted & one))
        where = f" of plane {number}" if len(found.planes) > 1 else ""
        lacking = sorted(fabric.name(guid) for guid in wanted - best)
        if lacking:
            words = f"no tree{where} has all leaves: the best lacks {_named(lacking)}"
            touches = [subjects.switch(name) for name in lacking]
            yield said(Verdict.FAIL, words, subjects.FABRIC, reading, facts.scan, touches=touches)
        elif wanted:
            words = f"{len(covered)} trees; one has all {len(wanted)} leaves{where}"
            yield said(Verdict.PASS, words, subjects.FABRIC, reading, facts.scan)


def _ports(scan: Reading[Discovery], fabric: Fabric) -> dict[str, str]:
    """Return port GUID of every aggregation node -> the switch that it is in."""
    return {
        line.port_guid: _switch_of(fabric, node.guid)
        for node in scan.parsed.value.nodes
        if node.guid in fabric.aggregation_nodes
        for line in node.ports
    }


def hello(facts: Facts) -> Iterator[Answer]:
    """A host can set up a job and run a barrier, through every adapter that was tried."""

    def judge(reading: Reading[Hello]) -> Iterator[Answer]:
        found = reading.parsed.value
        parts = (reading.name,) if reading.name else ()
        subject = subjects.node(reading.host, *parts) if reading.host else place(reading)
        if found.passed and not found.errors:
            yield said(Verdict.PASS, "a job was set up and a barrier ran", subject, reading)
        else:
            words = found.errors[0] if found.errors else "the barrier failed"
            yield said(Verdict.FAIL, words, subject, reading)

    yield from each(facts, sharp_hello.parse, judge)


def per_rail(facts: Facts) -> Iterator[Answer]:
    """Of every host that was tried, each adapter: those nobody tried are not known."""
    readings: tuple[Reading[Any], ...] = facts.of(sharp_hello.parse)
    if not readings:
        yield missing(sharp_hello.parse)
        return

    def judge(found: Audit) -> Iterator[Answer]:
        tried = {(one.host, one.name) for one in readings}
        for host in sorted({one.host for one in readings}):
            own = [one for one in readings if one.host == host]
            devices = {one.device for one in found.fabric.hcas.values() if one.host == host}
            left = sorted(devices - {name for where, name in tried if where == host})
            subject = subjects.node(host)
            if not devices:
                words = f"the scan has no adapter of {host}"
                yield said(Verdict.UNKNOWN, words, subject, *own)
            elif left:
                yield said(Verdict.UNKNOWN, f"not tried: {', '.join(left)}", subject, *own)
            else:
                bad = sorted(one.name for one in own if not _well(one))
                verdict = Verdict.FAIL if bad else Verdict.PASS
                words = f"{len(devices) - len(bad)} of {len(devices)} adapters can reduce"
                yield said(verdict, words, subject, *own)

    yield from _asked(facts, judge)


def _well(reading: Reading[Any]) -> bool:
    return not trouble(reading) and reading.parsed.value.passed
