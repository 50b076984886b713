"""Subnet manager, port states and error counters, as infiniband-diags tells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, place, said, sound, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import iblinkinfo, ibqueryerrors, opensm_conf, opensm_log, saquery, sminfo
from sunk_fabric.parse.counters import saturated
from sunk_fabric.parse.dotted import Record
from sunk_fabric.parse.iblinkinfo import LinkLine
from sunk_fabric.parse.ibnetdiscover import Kind
from sunk_fabric.parse.ibqueryerrors import Errors
from sunk_fabric.parse.opensm_conf import NOT_SET
from sunk_fabric.parse.opensm_log import OpensmLog
from sunk_fabric.parse.sminfo import MASTER, SubnetManager
from sunk_fabric.parse.text import guid

AT_LID = "at-lid-"
"""Begins the names of answers of a manager at a place, which need not be the one that ports obey;
the collector asks wherever a port says that it runs one."""
_NO_LIST = "whether there is another, saquery -s tells"
STANDBY = "2"
"""SMState of a manager that waits to take over; InfiniBand architecture, SMInfo."""
WAITING = frozenset({"Initialize", "Armed"})
NOTED = frozenset({"PortXmitWait", "PortRcvSwitchRelayErrors", "VL15Dropped", "QP1Dropped"})
"""Counters that say congestion or chatter, no damage."""
FEW = {
    "PortRcvErrors": 10,
    "PortRcvRemotePhysicalErrors": 100,
    "PortXmitDiscards": 100,
    "PortXmitConstraintErrors": 100,
    "PortRcvConstraintErrors": 100,
}
"""Counters that a pulled cable or a restarted host moves a little: up to this much is WARN. Limits
of the sample file that infiniband-diags ships, and of NVSentinel for received errors."""
TRAFFIC = frozenset({"PortXmitData", "PortRcvData", "PortXmitPkts", "PortRcvPkts"})


def master(facts: Facts) -> Iterator[Answer]:
    """One master that is alive: its activity count grows between two answers, and no other."""
    answers: list[SubnetManager] = []
    elsewhere: list[SubnetManager] = []
    readings: list[Reading[Any]] = []

    def gather(reading: Reading[tuple[SubnetManager, ...]]) -> Iterator[Answer]:
        at_lid = reading.name.startswith(AT_LID)
        (elsewhere if at_lid else answers).extend(reading.parsed.value)
        readings.append(reading)
        return iter(())

    yield from each(facts, sminfo.parse, gather)
    if not readings:
        return
    records = sound(facts, saquery.parse)
    verdict, words = _master(answers, elsewhere, records, _names(facts))
    yield said(verdict, words, subjects.FABRIC, *readings, *records)


def _master(
    answers: list[SubnetManager],
    elsewhere: list[SubnetManager],
    records: Iterable[Reading[tuple[Record, ...]]],
    names: Mapping[int, str],
) -> tuple[Verdict, str]:
    every = [one for reading in records for one in reading.parsed.value]
    masters = [one for one in answers if one.state == MASTER]
    places = {one.guid: one.lid for one in (*answers, *elsewhere) if one.state == MASTER}
    places |= _masters_told(every)
    claimed = saquery.manager_lids(every)
    silent = sorted(claimed - {one.lid for one in (*answers, *elsewhere)})
    at = _At(names)
    if len(places) > 1:
        told = ", ".join(f"{guid} at {at(lid)}" for guid, lid in sorted(places.items()))
        return Verdict.FAIL, f"{len(places)} masters: {told}"
    if not masters:
        words = "no subnet manager is master" if answers else "nobody answers as subnet manager"
        return Verdict.FAIL, words
    counts = {one.activity_count for one in masters}
    words = f"master at {at(masters[0].lid)}, priority {masters[0].priority}, alive"
    if len(masters) < 2:
        verdict, words = Verdict.UNKNOWN, "one answer does not show whether it lives: ask twice"
    elif len(counts) == 1:
        verdict, words = Verdict.FAIL, f"the master at {at(masters[0].lid)} stands still"
    elif masters[0].lid not in claimed:
        # A list without the one that is known to be there is none of all.
        told = "saquery -s, which tells of others, does not list it" if claimed else _NO_LIST
        verdict, words = Verdict.UNKNOWN, f"{words}; {told}"
    elif silent:
        others = ", ".join(at(lid) for lid in silent)
        words = f"{words}; another may run at {others}, which did not answer"
        verdict = Verdict.UNKNOWN
    else:
        verdict = Verdict.PASS
    return verdict, words


@dataclass(frozen=True, slots=True)
class _At:
    """Says where a LID is, by the names of a scan."""

    names: Mapping[int, str]

    def __call__(self, lid: int) -> str:
        name = self.names.get(lid, "")
        return f"lid {lid} ({name})" if name else f"lid {lid}"


def _names(facts: Facts) -> Mapping[int, str]:
    """Return LID -> description of the node whose port has it, as the scan tells."""
    if facts.scan is None or trouble(facts.scan):
        return {}
    found: dict[int, str] = {}
    for node in facts.scan.parsed.value.nodes:
        own = (node.lid,) if node.kind is Kind.SWITCH else (one.lid for one in node.ports)
        found |= {lid: node.description for lid in own if lid}
    return found


def _masters_told(records: Iterable[Record]) -> dict[str, int]:
    """Return GUID -> LID of masters that the administrator's records tell of."""
    return {
        guid(one.values.get("GUID", "")): int(one.values["LID"])
        for one in records
        if one.title == "SMInfoRecord"
        and one.values.get("SMState") == str(MASTER)
        and one.values.get("LID", "").isdecimal()
    }


def standby(facts: Facts) -> Iterator[Answer]:
    """Another manager is ready, as the administrator's records tell."""

    def judge(reading: Reading[tuple[Record, ...]]) -> Iterator[Answer]:
        records = [one.values for one in reading.parsed.value if one.title == "SMInfoRecord"]
        if not records:
            return
        ready = [one.get("LID", "?") for one in records if one.get("SMState") == STANDBY]
        words = f"{len(records)} managers, standby at lid {', '.join(sorted(ready)) or 'none'}"
        verdict = Verdict.PASS if ready else Verdict.WARN
        yield said(verdict, words, subjects.FABRIC, reading)

    yield from each(facts, saquery.parse, judge)


def routing(facts: Facts) -> Iterator[Answer]:
    """The last engine that configured the switches is the declared one."""
    wanted = facts.expected.routing_engine

    def judge(reading: Reading[OpensmLog]) -> Iterator[Answer]:
        engines = reading.parsed.value.engines
        if not engines and reading.parsed.value.state == "STANDBY":
            return  # it has nothing to configure; the master's log tells
        if not engines:
            words = "no engine has configured all switches in this log"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, reading)
        elif wanted is None:
            words = f"{engines[-1]} routes, and none is declared"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, reading)
        else:
            verdict = Verdict.PASS if engines[-1] == wanted else Verdict.FAIL
            words = f"{engines[-1]} routes, {wanted} declared"
            yield said(verdict, words, subjects.FABRIC, reading)

    def asked(reading: Reading[Mapping[str, str]]) -> Iterator[Answer]:
        if not reading.parsed.value:
            return  # no subnet manager runs there
        told = reading.parsed.value.get("routing_engine", NOT_SET)
        engine = "minhop" if told == NOT_SET else told.partition(",")[0]
        if wanted is None:
            words = f"{engine} is asked for, and none is declared"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, reading)
        elif engine != wanted:
            words = f"{engine} is asked for, {wanted} declared"
            yield said(Verdict.FAIL, words, subjects.FABRIC, reading)
        else:
            words = f"{engine} is asked for; its log tells whether it configured all switches"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, reading)

    configured = any(one.parsed.value for one in facts.of(opensm_conf.parse))
    if configured and not facts.of(opensm_log.parse):
        yield from each(facts, opensm_conf.parse, asked)
    else:
        yield from each(facts, opensm_log.parse, judge)


def shield(facts: Facts) -> Iterator[Answer]:
    """Managers tell switches to go round a dead link by themselves."""

    def judge(reading: Reading[Mapping[str, str]]) -> Iterator[Answer]:
        if not reading.parsed.value:
            return  # no subnet manager runs there
        mode = reading.parsed.value.get("shield_mode")
        subject = subjects.in_fabric(place(reading))
        if mode is None or not mode.isdecimal():
            words = "it has no shield_mode: the public opensm has none, the vendor's has"
            yield said(Verdict.UNKNOWN, words, subject, reading)
        else:
            verdict = Verdict.PASS if int(mode) else Verdict.WARN
            yield said(verdict, f"shield_mode is {mode}", subject, reading)

    answers = tuple(each(facts, opensm_conf.parse, judge))
    yield from answers
    if not answers:
        words = "a subnet manager runs on none of the hosts that were collected"
        yield said(Verdict.UNKNOWN, words, subjects.FABRIC, *facts.of(opensm_conf.parse))


def states(facts: Facts) -> Iterator[Answer]:
    """No port that has a link waits for the subnet manager."""

    def judge(reading: Reading[tuple[LinkLine, ...]]) -> Iterator[Answer]:
        waiting = [one for one in reading.parsed.value if one.state in WAITING]
        for one in waiting:
            words = f"port {one.port} is {one.state}, its link is up"
            subject = subjects.switch(one.description, str(one.port))
            touches = (subjects.in_fabric(subject),)
            yield said(Verdict.FAIL, words, subject, reading, touches=touches)
        active = sum(one.state == "Active" for one in reading.parsed.value)
        if not waiting and active:
            yield said(Verdict.PASS, f"{active} ports are active", subjects.FABRIC, reading)
        elif not waiting:
            yield said(Verdict.UNKNOWN, "no port is active", subjects.FABRIC, reading)

    yield from each(facts, iblinkinfo.parse, judge)


def errors(facts: Facts) -> Iterator[Answer]:
    """No error counter beyond the thresholds that the tool was given."""

    def judge(reading: Reading[Errors]) -> Iterator[Answer]:
        found = reading.parsed.value
        for port in found.ports:
            counted = {name: value for name, value in port.counters.items() if name not in TRAFFIC}
            if not counted:
                continue
            noted = all(name in NOTED or FEW.get(name, 0) >= counted[name] for name in counted)
            verdict = Verdict.WARN if noted else Verdict.FAIL
            words = ", ".join(f"{name} {value}" for name, value in sorted(counted.items()))
            full = sorted(name for name, value in counted.items() if saturated(name, value))
            if full:
                words += f"; {', '.join(full)} at the maximum, which may hide more"
            subject = subjects.switch(port.description, str(port.port))
            yield said(verdict, words, subject, reading)
        hidden = sorted(set(found.suppressed.split()) - NOTED - TRAFFIC)
        if hidden:
            words = f"the tool was told to leave out {', '.join(hidden)}"
            yield said(Verdict.UNKNOWN, words, subjects.FABRIC, reading)
        elif not found.ports:
            limits = f", thresholds {found.thresholds}" if found.thresholds else ""
            words = f"{found.ports_checked} ports without errors{limits}"
            yield said(Verdict.PASS, words, subjects.FABRIC, reading)

    yield from each(facts, ibqueryerrors.parse, judge)
