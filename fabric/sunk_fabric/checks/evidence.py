"""Are the texts whole, is every one read by somebody, and is each its host's own?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks import answers
from sunk_fabric.checks.answers import missing, said, trouble
from sunk_fabric.collection import Outcome
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import collection, ibstat, sysfs_rdma
from sunk_fabric.parse.text import guid

CLOCK_SECONDS = 30
"""Proposal: more makes texts of two hosts hard to compare; logs are read side by side by time."""


def sound(facts: Facts) -> Iterator[Answer]:
    """One answer for every file."""
    for one in facts.every:
        wrong = trouble(one)
        subject = f"evidence/{one.path}"
        if wrong:
            yield said(Verdict.UNKNOWN, wrong, subject, one)
        else:
            yield said(Verdict.PASS, f"{one.parsed.lines} lines", subject, one)


def known(facts: Facts) -> Iterator[Answer]:
    """One answer for every file that nobody reads, or one for all."""
    for path, evidence in facts.strangers:
        yield Answer(
            verdict=Verdict.WARN,
            found="no format is called so",
            subject=f"evidence/{path}",
            evidence=(evidence,),
        )
    if not facts.strangers and facts.every:
        count = len(facts.every)
        yield said(Verdict.PASS, f"{count} files, all of known formats", "evidence", *facts.every)


def hosts(facts: Facts) -> Iterator[Answer]:
    """One answer for every host that somebody meant to collect."""
    records = facts.of(collection.parse)
    if not records:
        yield missing(collection.parse)
        return
    last = max(records, key=lambda one: (one.parsed.value.ended, one.path))
    wrong = trouble(last)
    if wrong:
        yield said(Verdict.UNKNOWN, wrong, "evidence", last)
    for one in () if wrong else last.parsed.value.hosts:
        subject, missing_texts = subjects.node(one.host), ", ".join(one.missing)
        clock = one.clock_seconds or 0
        if one.outcome is Outcome.PARTLY:
            why = f": {one.words}" if one.words else ""
            words = f"answered in part{why}; not there: {missing_texts}"
            yield said(Verdict.UNKNOWN, words, subject, last)
        elif one.outcome is not Outcome.COLLECTED:
            words = f"{one.outcome}, {one.reason}: {one.words}" if one.reason else str(one.outcome)
            yield said(Verdict.UNKNOWN, words, subject, last)
        elif abs(clock) > CLOCK_SECONDS:
            side = "ahead" if clock > 0 else "behind"
            yield said(Verdict.WARN, f"its clock is {abs(clock)} s {side}", subject, last)
        else:
            yield said(Verdict.PASS, f"collected over {one.over}", subject, last)


def identity(facts: Facts) -> Iterator[Answer]:
    """Adapters stand in the texts of one host, and in that of the one the scan names."""
    owners: dict[str, dict[str, Reading[Any]]] = defaultdict(dict)
    for reading, found in _adapters(facts):
        for one in found:
            owners[one][reading.host] = reading
    if not owners:
        yield missing(ibstat.parse, sysfs_rdma.parse)
        return
    named = facts.audit.fabric.hcas if facts.audit is not None else {}
    bad: set[str] = set()
    for name, hosts in sorted(owners.items()):
        readings = [hosts[host] for host in sorted(hosts)]
        told = {_short(named[name].host)} if name in named else set()
        if len(hosts) < 2 and {_short(host) for host in hosts} >= told:
            continue
        claims = " and ".join(f"the texts of {host}" for host in sorted(hosts))
        scan = f", and the scan says {named[name].host}" if name in named else ""
        for host in sorted(hosts):
            bad.add(host)
            words = f"adapter {name} is in {claims}{scan}"
            yield said(Verdict.FAIL, words, subjects.node(host), *readings)
    of_host = {host: one for hosts in owners.values() for host, one in hosts.items()}
    for host, reading in sorted(of_host.items()):
        if host not in bad:
            yield said(Verdict.PASS, "its adapters are its own", subjects.node(host), reading)


def _short(host: str) -> str:
    return host.partition(".")[0].lower()


def _adapters(facts: Facts) -> Iterator[tuple[Reading[Any], tuple[str, ...]]]:
    """Yield texts with the GUIDs of their adapters."""
    for one in answers.sound(facts, ibstat.parse):
        yield one, tuple(adapter.guid for adapter in one.parsed.value)
    for each in answers.sound(facts, sysfs_rdma.parse):
        devices = [device for device in each.parsed.value.devices if not device.is_vf]
        yield each, tuple(guid(d.values["node_guid"]) for d in devices if "node_guid" in d.values)
