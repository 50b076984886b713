"""Slurm beside the hardware, Kubernetes and the fabric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.amounts import GPU, gpus_of
from sunk_fabric.checks.answers import each, lacking, latest, place, said, sound
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import collectives, job_places, lspci, nodes, slurm_nodes, slurm_topology
from sunk_fabric.parse.collectives import Measured
from sunk_fabric.parse.slurm_nodes import SlurmNode
from sunk_fabric.parse.slurm_topology import SlurmSwitch
from sunk_jobs.outputs.results import COLLECTIVES
from sunk_jobs.probe import Place

OUT = frozenset(
    {
        *("DOWN", "DRAIN", "DRAINED", "DRAINING", "FAIL", "FAILING", "FUTURE", "INVAL"),
        *("INVALID_REG", "MAINT", "NOT_RESPONDING", "POWERED_DOWN", "UNKNOWN", "ERROR"),
    }
)
"""Flags with which a node takes no job."""
USABLE = frozenset({"IDLE", "ALLOCATED", "MIXED", "COMPLETING", "RESERVED", "PLANNED"})
HELD = frozenset({"CLOUD", "DYNAMIC_NORM", "DYNAMIC_FUTURE", "POWERING_UP", "REBOOT_ISSUED"})


def state(facts: Facts) -> Iterator[Answer]:
    """Every node takes jobs."""

    def judge(reading: Reading[tuple[SlurmNode, ...]]) -> Iterator[Answer]:
        for node in reading.parsed.value:
            subject = subjects.node(node.name)
            words = "+".join(sorted(node.states))
            words += f": {node.reason}" if node.reason else ""
            out = node.states & OUT
            strange = node.states - USABLE - HELD - OUT
            if out or not node.responds:
                words += "" if node.responds else ", does not respond"
                yield said(Verdict.FAIL, words, subject, reading)
            elif strange:
                yield said(Verdict.UNKNOWN, f"{words}, a state nobody knows", subject, reading)
            else:
                yield said(Verdict.PASS, words, subject, reading)
        if not reading.parsed.value:
            yield said(Verdict.UNKNOWN, "there is no node", place(reading), reading)

    yield from each(facts, slurm_nodes.parse, judge)


def gres(facts: Facts) -> Iterator[Answer]:
    """Slurm, Kubernetes and the PCI bus count as many GPUs."""
    if lacks := lacking(facts, slurm_nodes.parse):
        yield from lacks
        return
    reading = latest(facts, slurm_nodes.parse)
    buses = {one.host: one for one in sound(facts, lspci.parse)}
    lists = sound(facts, nodes.parse)
    listed = {one.metadata.name: one for one in lists[-1].parsed.value} if lists else {}
    for node in reading.parsed.value:
        counts = {"Slurm": node.gres.get("gpu", 0)}
        used: list[Reading[Any]] = [reading]
        if node.name in buses:
            counts["the PCI bus"] = len(gpus_of(buses[node.name]))
            used.append(buses[node.name])
        amount = listed[node.name].status.allocatable.get(GPU, "0") if node.name in listed else ""
        if amount.isdecimal():
            counts["Kubernetes"] = int(amount)
            used.append(lists[-1])
        words = ", ".join(f"{name}: {count}" for name, count in counts.items())
        subject = subjects.node(node.name)
        if len(counts) == 1:
            words = f"{words} GPUs; neither the PCI bus nor a Node of this name is told of"
            yield said(Verdict.UNKNOWN, words, subject, *used)
        else:
            verdict = Verdict.PASS if len(set(counts.values())) == 1 else Verdict.FAIL
            yield said(verdict, f"GPUs of {words}", subject, *used)
    if not reading.parsed.value:
        yield said(Verdict.UNKNOWN, "there is no node", place(reading), reading)


def address(facts: Facts) -> Iterator[Answer]:
    """The address that a job sees ends with the leaf and the node that Slurm's topology has."""
    if lacks := lacking(facts, slurm_topology.parse):
        yield from lacks
        return
    reading = latest(facts, slurm_topology.parse)
    leaves = {
        node: one.name for one in reading.parsed.value if one.level == 0 for node in one.nodes
    }

    def judge(places: Reading[tuple[Place, ...]]) -> Iterator[Answer]:
        for one in places.parsed.value:
            subject = subjects.node(one.node)
            leaf = leaves.get(one.node)
            if leaf is None:
                words = f"{one.topology}; scontrol show topology does not have the node"
                yield said(Verdict.UNKNOWN, words, subject, places, reading)
            else:
                ends = f".{one.topology}".endswith(f".{leaf}.{one.node}")
                words = f"{one.topology} in the job, below {leaf} in Slurm"
                verdict = Verdict.PASS if ends else Verdict.FAIL
                yield said(verdict, words, subject, places, reading)

    yield from each(facts, job_places.parse, judge)


def gang(facts: Facts) -> Iterator[Answer]:
    """A job has run on as many nodes as are promised to one."""
    wanted = facts.expected.job_nodes

    def judge(reading: Reading[tuple[Place, ...]]) -> Iterator[Answer]:
        count = len(reading.parsed.value)
        subject = subjects.run(reading.name or reading.path)
        if wanted is None:
            words = f"a job ran on {count} nodes, and the size that is promised is not declared"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            verdict = Verdict.PASS if count >= wanted else Verdict.UNKNOWN
            yield said(verdict, f"a job ran on {count} nodes of {wanted}", subject, reading)

    yield from each(facts, job_places.parse, judge)


def launcher(facts: Facts) -> Iterator[Answer]:
    """Ranks of an MPI program found each other, on as many nodes as are promised to a job."""
    wanted = facts.expected.job_nodes

    def judge(reading: Reading[Measured]) -> Iterator[Answer]:
        run = reading.parsed.value
        hosts = len(set(run.hosts))
        subject = subjects.run(reading.name or reading.path)
        words = f"{len(run.hosts)} ranks on {hosts} nodes, {run.library or 'an MPI library'}"
        if run.schema != COLLECTIVES:
            words = "torch starts its ranks by itself: no launcher of MPI is tried"
            yield said(Verdict.SKIP, words, subject, reading)
        elif wanted is None:
            words += "; the size that is promised is not declared"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            verdict = Verdict.PASS if hosts >= wanted else Verdict.UNKNOWN
            yield said(verdict, f"{words}; {wanted} nodes are promised", subject, reading)

    yield from each(facts, collectives.parse, judge)


def topology(facts: Facts) -> Iterator[Answer]:
    """Nodes that Slurm has below one switch are at the same leaves of the fabric."""
    if lacks := lacking(facts, slurm_topology.parse):
        yield from lacks
        return
    reading = latest(facts, slurm_topology.parse)
    leaves = [one for one in reading.parsed.value if one.level == 0 and one.nodes]
    if not leaves:
        yield said(Verdict.UNKNOWN, "no switch with nodes is told of", place(reading), reading)
        return
    if facts.scan is None or facts.audit is None:
        words = "no sound scan of the fabric to compare with"
        yield said(Verdict.UNKNOWN, words, place(reading), reading)
        return
    at: dict[str, set[str]] = {}
    for link in facts.audit.fabric.links:
        for near, far in ((link.low, link.high), (link.high, link.low)):
            hca = facts.audit.fabric.hcas.get(near.guid)
            if hca is not None and far.guid in facts.audit.fabric.switches:
                at.setdefault(hca.host.partition(".")[0].lower(), set()).add(far.guid)
    for one in leaves:
        yield from _leaf(
            facts, reading, one, {name: frozenset(found) for name, found in at.items()}
        )


def _leaf(
    facts: Facts,
    reading: Reading[tuple[SlurmSwitch, ...]],
    leaf: SlurmSwitch,
    at: dict[str, frozenset[str]],
) -> Iterator[Answer]:
    assert facts.scan is not None
    assert facts.audit is not None
    there = {name: at.get(name.partition(".")[0].lower()) for name in leaf.nodes}
    known = Counter(one for one in there.values() if one)
    usual = max(known, key=lambda one: (known[one], sorted(one)), default=None)
    for name, switches in there.items():
        subject = subjects.in_fabric(subjects.node(name))
        if switches is None or usual is None:
            words = f"{leaf.name} has it; the scan does not"
            yield said(Verdict.UNKNOWN, words, subject, reading, facts.scan)
        elif switches == usual:
            words = f"at the leaves of {leaf.name}"
            yield said(Verdict.PASS, words, subject, reading, facts.scan)
        else:
            names = ", ".join(sorted(facts.audit.fabric.name(guid) for guid in switches))
            others = ", ".join(sorted(facts.audit.fabric.name(guid) for guid in usual))
            words = f"Slurm has it below {leaf.name}, where most are at {others}; it is at {names}"
            yield said(Verdict.FAIL, words, subject, reading, facts.scan)
