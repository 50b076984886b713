"""Ask many hosts at once; a dead one costs its own time and nothing more."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import sunk
from sunk.assess.evidence import Evidence
from sunk.errors import NotReached, SunkError
from sunk.model.reach import Reason
from sunk.progress import Reporter, step
from sunk_fabric.collect import brought, kube_texts
from sunk_fabric.collect.brought import Brought
from sunk_fabric.collect.conversation import Conversation, Limits, Taken, now
from sunk_fabric.collect.keeping import Keeper
from sunk_fabric.collect.kube_texts import KubeTexts
from sunk_fabric.collect.plan import Plan
from sunk_fabric.collect.questions import IS_SM, OnceOf, OnceQuestion, Question, manager_questions
from sunk_fabric.collect.transport import Transport
from sunk_fabric.collection import Collection, HostRecord, Outcome
from sunk_fabric.parse import saquery, sysfs_rdma
from sunk_fabric.parse.text import printable
from sunk_jobs.sysfs_rdma import RdmaPort

AT_ONCE = 32
_TELL_SECONDS = 0.5
MOST_MANAGERS = 64
"""That are asked one by one; more is no subnet, but a text that lies."""
_LAST_LID = 0xBFFF
"""Of unicast; InfiniBand architecture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to ask.

    Attributes:
        limits: what each host may cost.
        at_once: most hosts that are asked, and connected to, at the same time.
        any_name: take hosts whatever they call themselves.
        fabric_from: the host to ask about the whole fabric; chosen when empty.
        kube_texts: what Kubernetes is asked; nothing when absent.
        brought: texts that somebody else took.
    """

    limits: Limits
    at_once: int = AT_ONCE
    any_name: bool = False
    fabric_from: str = ""
    kube_texts: KubeTexts | None = None
    brought: tuple[Brought, ...] = ()


@dataclass
class _Run:
    """What the threads of a collection share."""

    transport: Transport
    manner: Manner
    keeper: Keeper
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    talking: set[Conversation] = field(default_factory=set)

    @contextmanager
    def conversation(self, host: str) -> Iterator[Conversation]:
        """Talk to a host; `hang_up` ends it from outside.

        Raises:
            NotReached: no shell.
        """
        made = Conversation(host, lambda: self.transport.open(host), self.manner.limits)
        try:
            with self.lock:
                self.talking.add(made)
            yield made
        finally:
            with self.lock:
                self.talking.discard(made)
            made.close()

    def check_name(self, host: str, talk: Conversation) -> None:
        """Compare what a host calls itself.

        Raises:
            NotReached: it is another one.
        """
        if not self.manner.any_name and not self.transport.is_named(host, talk.called):
            raise NotReached(
                f"ask {host}: it calls itself {talk.called or 'nothing'}",
                reason=Reason.OTHER_HOST,
                system="shell",
                hint="look at the name service; where names differ on purpose: --any-name",
            )

    def hang_up(self) -> None:
        """Let nobody ask on."""
        self.stop.set()
        with self.lock:
            talking = tuple(self.talking)
        for one in talking:
            one.close()


def collect(
    plan: Plan,
    transport: Transport,
    manner: Manner,
    keeper: Keeper,
    reporter: Reporter,
    earlier: Collection | None = None,
) -> Collection:
    """Ask all hosts of a plan, keep what they say, and return what came of each.

    An interrupt ends the asking; what is there stays, and the record says what is not.

    Raises:
        SunkError: nothing can be asked at all.
    """
    records = _before(plan, earlier)
    fabric_from = earlier.fabric_from if earlier else ""
    notes: list[str] = []
    made = Collection(collector=f"sunk {sunk.__version__}", began=now(), ended="")
    keeper.begin(replace(made, interrupted=True, hosts=_sorted(records), fabric_from=fabric_from))
    run = _Run(transport, manner, keeper)
    interrupted = False
    try:
        try:
            _prepare(transport, plan, reporter)
            _ask_hosts(run, plan, records, reporter)
            once = _ask_once(run, plan, records, reporter)
            fabric_from, notes = once.fabric_from or fabric_from, once.notes
            _ask_kube(manner.kube_texts, keeper, reporter)
            for one in manner.brought:
                keeper.add(one.taken(), host=one.host, over=brought.OVER)
        finally:
            run.hang_up()
            notes = [*notes, *_closed(transport)]
    except KeyboardInterrupt:
        interrupted = True
    record = replace(
        made,
        ended=now(),
        interrupted=interrupted,
        hosts=_sorted(records),
        fabric_from=fabric_from,
        notes=tuple(notes),
    )
    keeper.finish(record)
    return record


def _before(plan: Plan, earlier: Collection | None) -> dict[str, HostRecord]:
    """Return the records as they are before anything is asked."""
    records = {one.host: one for one in earlier.hosts} if earlier else {}
    records |= {
        host: HostRecord(host=host, outcome=Outcome.NOT_ASKED, missing=_names(questions))
        for host, questions in plan.hosts.items()
    }
    # A run that was killed had no time to say that it had all of them.
    return records | {
        host: HostRecord(host=host, outcome=Outcome.COLLECTED, over=over)
        for host, over in plan.had.items()
        if host not in records or records[host].outcome is not Outcome.COLLECTED
    }


def _prepare(transport: Transport, plan: Plan, reporter: Reporter) -> None:
    if plan.hosts:
        with step(reporter, "way"):
            transport.prepare(tuple(plan.hosts))


def _closed(transport: Transport) -> tuple[str, ...]:
    """Undo what was made ready; what could not be undone is said in words."""
    try:
        transport.close()
    except SunkError as exc:
        return (printable(f"left behind: {exc.message}", 600),)
    return ()


def _ask_kube(texts: KubeTexts | None, keeper: Keeper, reporter: Reporter) -> None:
    if texts is None:
        return
    with step(reporter, "Kubernetes") as current:
        count = 0
        for taken in texts.ask():
            keeper.add(taken, host="", over=kube_texts.OVER)
            count += 1
        current.outcome = f"{count} texts"


def _sorted(records: Mapping[str, HostRecord]) -> tuple[HostRecord, ...]:
    return tuple(records[host] for host in sorted(records))


def _names(questions: tuple[Question, ...]) -> tuple[str, ...]:
    return tuple(sorted(one.name for one in questions))


def _ask_hosts(run: _Run, plan: Plan, records: dict[str, HostRecord], reporter: Reporter) -> None:
    if not plan.hosts:
        return
    with (
        step(reporter, "hosts") as current,
        ThreadPoolExecutor(run.manner.at_once, thread_name_prefix="collect") as pool,
    ):
        waiting = {
            pool.submit(_ask_host, run, host, questions): host
            for host, questions in plan.hosts.items()
        }
        total = len(waiting)
        try:
            while waiting:
                done, _ = wait(waiting, _TELL_SECONDS, FIRST_COMPLETED)
                for one in done:
                    records[waiting.pop(one)] = one.result()
                current.detail(_so_far(records, total - len(waiting), total))
        except BaseException:
            # Who waits in the queue is not begun, and who talks is hung up on.
            pool.shutdown(wait=False, cancel_futures=True)
            run.hang_up()
            _gather_rest(waiting, records)
            raise
        current.outcome = _so_far(records, total, total)


def _gather_rest(waiting: Mapping[Future[HostRecord], str], records: dict[str, HostRecord]) -> None:
    """Take what those have who were asked when the end came."""
    begun = {one: host for one, host in waiting.items() if not one.cancelled()}
    for one in wait(begun).done:
        records[begun[one]] = one.result()


def _so_far(records: Mapping[str, HostRecord], done: int, total: int) -> str:
    counted = Counter(one.outcome for one in records.values())
    words = ", ".join(f"{counted[one]} {one}" for one in Outcome if counted[one])
    return f"{done} of {total}: {words}"


def _ask_host(run: _Run, host: str, questions: tuple[Question, ...]) -> HostRecord:
    """Return what came of one host; never raises for what the host does."""
    record = HostRecord(
        host=host,
        outcome=Outcome.NOT_ASKED,
        missing=_names(questions),
        pod=run.transport.is_pod(host),
    )
    if run.stop.is_set():
        return record
    whole: set[str] = set()
    record = replace(record, outcome=Outcome.UNREACHABLE, over=run.transport.over(host), at=now())
    try:
        with run.conversation(host) as talk:
            record = replace(record, called=talk.called, clock_seconds=talk.clock_seconds)
            run.check_name(host, talk)
            record = replace(record, outcome=Outcome.PARTLY)
            for one in questions:
                if run.stop.is_set():
                    break
                taken = talk.ask(one)
                if not run.stop.is_set() or not taken.incomplete:
                    run.keeper.add(taken, host=host, over=record.over)
                whole |= set() if taken.incomplete else {one.name}
    except NotReached as exc:
        words = f"{exc.message}; {exc.hint}" if exc.hint else exc.message
        record = replace(record, reason=exc.reason, words=printable(words, 600))
    missing = tuple(sorted(set(_names(questions)) - whole))
    if not missing:
        return replace(record, outcome=Outcome.COLLECTED, missing=())
    if run.stop.is_set():
        interrupted = Outcome.PARTLY if whole else Outcome.NOT_ASKED
        return replace(record, outcome=interrupted, missing=missing, reason="", words="interrupted")
    return replace(record, missing=missing)


@dataclass
class _Once:
    """What came of asking one host for all."""

    fabric_from: str = ""
    notes: list[str] = field(default_factory=list)


def _ask_once(
    run: _Run, plan: Plan, records: Mapping[str, HostRecord], reporter: Reporter
) -> _Once:
    found = _Once()
    for of in OnceOf:
        questions = tuple(one for one in plan.once if one.of is of)
        if not questions:
            continue
        with step(reporter, _TITLES[of]) as current:
            host = _host_for(of, run, records)
            if not host:
                current.outcome = "not asked"
                found.notes.append(f"{_TITLES[of]}: no host to ask, {of.value}")
                continue
            current.outcome = f"asked {host}"
            if of is OnceOf.FABRIC:
                found.fabric_from = host
            found.notes += _ask_one_for_all(run, host, questions, current.detail)
    return found


_TITLES = {OnceOf.FABRIC: "fabric", OnceOf.SLURM: "Slurm"}


def _ask_one_for_all(
    run: _Run, host: str, questions: tuple[OnceQuestion, ...], tell: Callable[[str], None]
) -> Iterator[str]:
    try:
        with run.conversation(host) as talk:
            run.check_name(host, talk)
            for one in _with_managers(run, questions):
                tell(f"{one.question.shown} on {host}")
                taken: Taken = talk.ask(one.question)
                run.keeper.add(taken, host=host, over=run.transport.over(host))
                if taken.incomplete:
                    yield f"{one.question.shown} on {host}: {taken.incomplete}"
    except NotReached as exc:
        yield printable(exc.message, 600)


def _with_managers(run: _Run, questions: tuple[OnceQuestion, ...]) -> Iterator[OnceQuestion]:
    """Yield the questions, then those to ports that say by then that they run a manager."""
    yield from questions
    if questions[0].of is OnceOf.FABRIC:
        seconds = max(one.question.within_seconds for one in questions)
        yield from manager_questions(_manager_lids(run), within_seconds=seconds)


def _host_for(of: OnceOf, run: _Run, records: Mapping[str, HostRecord]) -> str:
    """Return the host to ask; empty when there is none."""
    if of is OnceOf.FABRIC and run.manner.fabric_from:
        return run.manner.fabric_from
    reached = [
        one.host for one in _sorted(records) if one.outcome in {Outcome.COLLECTED, Outcome.PARTLY}
    ]
    if of is OnceOf.SLURM:
        runs = {
            one.host
            for one in run.keeper.evidence.values()
            if one.name == "proc_limits.slurmd" and one.exit_code == 0
        }
        return next((host for host in (*(h for h in reached if h in runs), *reached)), "")
    texts = {one.host: one for one in run.keeper.evidence.values() if one.name == "sysfs_rdma"}
    return next((host for host in reached if host in texts and any(_ports(run, texts[host]))), "")


def _ports(run: _Run, evidence: Evidence) -> Iterator[RdmaPort]:
    """Yield the active InfiniBand ports that a text tells of."""
    parsed = sysfs_rdma.parse(run.keeper.read(evidence))
    for device in parsed.value.devices if parsed.sound else ():
        for port in device.ports:
            active = "ACTIVE" in port.values.get("state", "")
            if active and port.values.get("link_layer") == "InfiniBand":
                yield port


def _manager_lids(run: _Run) -> set[int]:
    """Return the LIDs of ports that say that they run a subnet manager.

    Hosts that were asked tell of their own; the subnet's administrator tells of all, those of hosts
    that nobody logs into among them.
    """
    texts = [one for one in run.keeper.evidence.values() if one.name == "sysfs_rdma"]
    values = [port.values for one in texts for port in _ports(run, one)]
    found = {
        _hexadecimal(one.get("lid"))
        for one in values
        if _hexadecimal(one.get("cap_mask")) & saquery.IS_SM
    }
    for one in run.keeper.evidence.values():
        if one.name == IS_SM:
            found |= saquery.manager_lids(saquery.parse(run.keeper.read(one)).value)
    return set(sorted(one for one in found if 0 < one <= _LAST_LID)[:MOST_MANAGERS])


def _hexadecimal(text: str | None) -> int:
    return int(text, 16) if text and re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text) else 0
