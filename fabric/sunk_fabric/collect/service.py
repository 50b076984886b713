"""What the command calls: plan, collect, and what a dry run shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sunk.assess.bundle import MANIFEST
from sunk.clients import evidence_files
from sunk.errors import InputError
from sunk.model.hostlist import folded
from sunk.progress import Reporter
from sunk_fabric.collect import gather, keeping, kube_texts
from sunk_fabric.collect.gather import Manner
from sunk_fabric.collect.keeping import Before, Keeper
from sunk_fabric.collect.plan import Plan, plan
from sunk_fabric.collect.questions import POD_TEXTS, SYSFS, OnceOf, host_questions, once_questions
from sunk_fabric.collect.transport import Transport
from sunk_fabric.collection import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants collected.

    Attributes:
        folder: where to.
        hosts: to ask; those that the transport knows, or an earlier run had, when empty.
        resume: go on with what is in the folder.
        command_seconds: the longest that each command may take.
        window_seconds: ask for counters again so long after; 0 for once.
        sysfs_root: where sysfs is on the hosts.
    """

    folder: Path
    hosts: tuple[str, ...] = ()
    resume: bool = False
    command_seconds: float = 60.0
    window_seconds: float = 0.0
    sysfs_root: str = SYSFS


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What came of a request.

    Attributes:
        folder: where it is.
        record: what came of every host.
        texts: how many are there.
        redactions: how many secrets were taken out of them.
    """

    folder: Path
    record: Collection
    texts: int
    redactions: int


def collect(
    request: Request, transport: Transport, manner: Manner, reporter: Reporter
) -> Collected:
    """Collect, and return what came of it.

    Raises:
        InputError: the folder is there and must not be, or there is no host to ask.
        SunkError: nothing can be asked at all.
    """
    before = keeping.read_before(request.folder) if request.resume else Before()
    if manner.kube_texts is not None:
        # Objects change together: they are all asked for anew.
        stays = tuple(one for one in before.evidence if one.over != kube_texts.OVER)
        before = replace(before, evidence=stays)
    made = planned(request, transport, before)
    if manner.fabric_from:
        transport.check((manner.fabric_from,))
    keeper = Keeper(request.folder, made.stays if request.resume else None)
    record = gather.collect(made, transport, manner, keeper, reporter, before.record)
    texts = len(keeper.evidence) - 1
    redactions = sum(one.redactions for one in keeper.evidence.values())
    return Collected(folder=request.folder, record=record, texts=texts, redactions=redactions)


def planned(request: Request, transport: Transport, before: Before | None = None) -> Plan:
    """Return what a request asks of whom.

    Raises:
        InputError: there is no host to ask.
        SunkError: a host cannot be asked that way.
    """
    if before is None:
        before = keeping.read_before(request.folder) if request.resume else Before()
    earlier = tuple(one.host for one in before.record.hosts) if before.record else ()
    seconds = request.command_seconds
    hosts = request.hosts or earlier or transport.hosts()
    transport.check(hosts)
    questions = host_questions(
        within_seconds=seconds,
        sysfs_root=request.sysfs_root,
        window_seconds=request.window_seconds,
    )
    inside = tuple(one for one in questions if one.name in POD_TEXTS)
    return plan(
        {host: inside if transport.is_pod(host) else questions for host in hosts},
        once_questions(within_seconds=seconds),
        before.evidence,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a dry run.

    Attributes:
        where: hosts, as a hostlist, or which one will be chosen.
        over: how they are reached.
        command: what would be run there.
        within_seconds: the longest that it may take.
        text: the name of what is kept.
    """

    where: str
    over: str
    command: str
    within_seconds: float
    text: str


def rows(made: Plan, transport: Transport, manner: Manner) -> tuple[Row, ...]:
    """Return exactly what would be run where."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    questions = {one.name: one for asked in made.hosts.values() for one in asked}
    for host, asked in made.hosts.items():
        names = tuple(one.name for one in asked)
        groups.setdefault((transport.over(host), names), []).append(host)
    found = [
        Row(folded(hosts), over, questions[name].shown, questions[name].within_seconds, name)
        for (over, names), hosts in groups.items()
        for name in names
    ]
    for one in made.once:
        where = f"one host: {(one.of is OnceOf.FABRIC and manner.fabric_from) or one.of.value}"
        asked_once = one.question
        found.append(
            Row(where, "the same", asked_once.shown, asked_once.within_seconds, asked_once.name)
        )
    asked_kube = manner.kube_texts.questions() if manner.kube_texts else ()
    found += [
        Row("API server", kube_texts.OVER, one.shown, one.within_seconds, one.name)
        for one in asked_kube
    ]
    return tuple(found)


def pack(folder: Path, archive: Path) -> None:
    """Write a folder as one file to take away.

    Raises:
        InputError: the folder is not whole, or the file exists.
    """
    files = evidence_files.read(folder)
    if MANIFEST not in files:
        raise InputError(f"pack {folder}: it has no {MANIFEST}")
    evidence_files.write_archive(archive, folder.name, files)
