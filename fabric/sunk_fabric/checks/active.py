"""Whether an active test can be believed: whole, cleaned up, over a known path, measured alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.active.patterns import Pattern
from sunk_fabric.active.samples import Gone, Sample
from sunk_fabric.active.suspects import Kind, Suspect, Way
from sunk_fabric.checks.answers import missing, place, said, trouble
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import collectives, traffic_record
from sunk_fabric.parse.text import printable
from sunk_fabric.tested import Tested

NAMED = 5
TEST = subjects.run("fabric test")
CONGESTING = frozenset({Pattern.BISECTION, Pattern.INCAST})
"""Patterns in which transfers get in each other's way by design."""


def each_test(facts: Facts, judge: Callable[[Tested], Iterable[Answer]]) -> Iterator[Answer]:
    """Ask about every test; records that are not sound are UNKNOWN with what is wrong."""
    readings: tuple[Reading[Any], ...] = (
        *facts.of(traffic_record.parse),
        *facts.of(collectives.parse),
    )
    if not readings:
        yield missing(traffic_record.parse)
    for one in readings:
        if wrong := trouble(one):
            yield said(Verdict.UNKNOWN, wrong, place(one), one)
    for test in facts.tests:
        yield from judge(test)


def answer(
    test: Tested,
    verdict: Verdict,
    found: str,
    subject: str = TEST,
    *,
    hosts: Iterable[str] = (),
    remedy: str = "",
) -> Answer:
    """Return an answer that rests on a test and the transfers of some hosts."""
    return Answer(
        verdict=verdict,
        found=printable(found, 600),
        subject=subject,
        evidence=test.proof(*hosts),
        remedy=remedy,
    )


def whole(facts: Facts) -> Iterator[Answer]:
    """Transfers that were not made, and outputs that cannot be trusted."""

    def judge(test: Tested) -> Iterator[Answer]:
        counts = Counter(one.gone for one in test.samples)
        words = f"{counts[Gone.NO]} of {len(test.samples)} transfers measured"
        words += f", {counts[Gone.CUT]} did not get through" if counts[Gone.CUT] else ""
        words += f", {counts[Gone.SKIPPED]} skipped" if counts[Gone.SKIPPED] else ""
        broken = [one for one in test.samples if one.gone is Gone.BROKEN]
        ran = len({one.round for one in test.samples})
        if test.record.interrupted or ran < test.record.rounds:
            words += f", ended after {ran} of {test.record.rounds} rounds"
        if broken:
            words += f", {len(broken)} without an output: {_first(broken)}"
        bad = broken or test.record.interrupted or ran < test.record.rounds
        words += "".join(f"; {one}" for one in test.record.shortened)
        yield answer(test, Verdict.UNKNOWN if bad else Verdict.PASS, words)

    yield from each_test(facts, judge)


def _first(samples: Iterable[Sample]) -> str:
    one = min(samples, key=lambda each: (each.round, each.flow))
    return f"{one.flow.sender} to {one.flow.receiver}: {one.trouble}"


_CLEANED = {
    "clean": (Verdict.PASS, "nothing of the test runs"),
    "ended": (Verdict.PASS, "ended, and gone"),
    "remaining": (Verdict.FAIL, "would not end"),
    "unknown": (Verdict.UNKNOWN, "could not be asked"),
}


def cleanup(facts: Facts) -> Iterator[Answer]:
    """What was found on the hosts afterwards."""

    def judge(test: Tested) -> Iterator[Answer]:
        if test.given is not None:
            words = "its launcher ends its ranks"
            yield answer(test, Verdict.SKIP, words)
            return
        asked = {one.host: one for one in test.record.cleanup}
        for host in test.record.hosts:
            one = asked.get(host)
            state = one.state if one else "unknown"
            verdict, words = _CLEANED.get(state, (Verdict.UNKNOWN, f"in state {state}"))
            found = f"{words}: {one.found}" if one and one.found else words
            yield answer(test, verdict, found, subjects.node(host))

    yield from each_test(facts, judge)


def path(facts: Facts) -> Iterator[Answer]:
    """The devices that figures went over."""

    def judge(test: Tested) -> Iterator[Answer]:
        measured = [one for one in test.samples if one.gone is Gone.NO]
        ways = Counter(f"{one.path.device} ({one.path.link})" for one in measured if one.path)
        shown = ", ".join(f"{count} over {way}" for way, count in sorted(ways.items())[:NAMED])
        unproven = len(measured) - sum(ways.values())
        if not measured:
            yield answer(test, Verdict.UNKNOWN, "nothing was measured")
        elif unproven:
            words = (
                f"{unproven} of {len(measured)} transfers do not say which device they went over"
            )
            yield answer(test, Verdict.UNKNOWN, words)
        elif _declares_rdma(facts) and any(one.path and one.path.link == "tcp" for one in measured):
            words = f"{shown}: the site declares RDMA adapters, and TCP says nothing of them"
            yield answer(test, Verdict.UNKNOWN, words)
        else:
            yield answer(test, Verdict.PASS, shown)

    yield from each_test(facts, judge)


def proven(facts: Facts, samples: Iterable[Sample]) -> bool:
    """Return whether figures are those of the devices that were to be tested."""
    return all(
        one.path is not None and not (one.path.link == "tcp" and _declares_rdma(facts))
        for one in samples
        if one.gone is Gone.NO
    )


def _declares_rdma(facts: Facts) -> bool:
    return bool(facts.expected.adapters_per_host or facts.expected.nccl_adapters)


def settings(facts: Facts) -> Iterator[Answer]:
    """What hosts measured with, against the majority."""

    def judge(test: Tested) -> Iterator[Answer]:
        found = list(_deviating(test, "MTU", Verdict.FAIL, _mtu))
        found += _deviating(test, "GID index", Verdict.FAIL, _gid)
        found += _deviating(test, "congestion control", Verdict.WARN, _congestion)
        yield from found
        if not found:
            known = [one.path for one in test.samples if one.path]
            verdict = Verdict.PASS if known else Verdict.UNKNOWN
            yield answer(test, verdict, _alike(known) if known else "no transfer tells it")

    yield from each_test(facts, judge)


Setting = Callable[[Sample], Iterable[tuple[str, str]]]
"""A sample -> host and what it says it measures with."""


def _mtu(sample: Sample) -> Iterator[tuple[str, str]]:
    path = sample.path
    if path and path.mtu_bytes is not None:
        yield sample.flow.sender, str(path.mtu_bytes)
    if path and path.peer_mtu_bytes is not None:
        yield sample.flow.receiver, str(path.peer_mtu_bytes)


def _gid(sample: Sample) -> Iterator[tuple[str, str]]:
    if sample.path and sample.path.gid_index:
        yield sample.flow.sender, sample.path.gid_index


def _congestion(sample: Sample) -> Iterator[tuple[str, str]]:
    if sample.path and sample.path.congestion:
        yield sample.flow.sender, sample.path.congestion


def _deviating(test: Tested, name: str, verdict: Verdict, setting: Setting) -> Iterator[Answer]:
    by_host: dict[str, Counter[str]] = {}
    for sample in test.samples:
        for host, value in setting(sample):
            by_host.setdefault(host, Counter())[value] += 1
    most = {host: max(sorted(some), key=lambda one: some[one]) for host, some in by_host.items()}
    votes = Counter(most.values())
    if len(votes) < 2:
        return
    usual = max(sorted(votes), key=lambda one: votes[one])
    for host, value in sorted(most.items()):
        if value != usual:
            words = f"{name} {value}; {votes[usual]} of {len(most)} hosts have {usual}"
            yield answer(test, verdict, words, subjects.node(host), hosts=[host])


def _alike(paths: Iterable[object]) -> str:
    return f"MTU, GID index and congestion control agree in {len(list(paths))} transfers"


def reach(facts: Facts) -> Iterator[Answer]:
    """Hosts and pairs that nothing gets through to."""

    def judge(test: Tested) -> Iterator[Answer]:
        cut = test.assessment.of(Kind.CUT)
        for host in test.record.hosts:
            own = [one for one in cut if one.way is not None and one.host == host]
            measured = sum(one.gone is Gone.NO and host in one.flow.ends for one in test.samples)
            if own:
                words = f"{directions(own)} nothing: {_failed(test, host)}"
                yield answer(test, decided(own), words, subjects.node(host), hosts=[host])
            elif measured:
                words = f"{measured} transfers got through"
                yield answer(test, Verdict.PASS, words, subjects.node(host), hosts=[host])
            else:
                words = f"no transfer was measured: {_failed(test, host)}"
                yield answer(test, Verdict.UNKNOWN, words, subjects.node(host))
        for ends, own in pairs_of(cut):
            words = f"{ways(own)}: nothing gets through"
            # Of two hosts alone, there is nobody whom either could reach.
            words += ", and both reach others" if len(test.record.hosts) > 2 else ""
            yield answer(test, decided(own), words, subjects.pair(*ends), hosts=ends[:2])

    yield from each_test(facts, judge)


def _failed(test: Tested, host: str) -> str:
    failed = [
        one for one in test.samples if host in one.flow.ends and one.gone in {Gone.CUT, Gone.BROKEN}
    ]
    return f"{len(failed)} transfers failed, {_first(failed)}" if failed else "none was tried"


def decided(own: Iterable[Suspect]) -> Verdict:
    """Return FAIL for what repetitions confirmed, else UNKNOWN."""
    return Verdict.FAIL if any(one.confirmed for one in own) else Verdict.UNKNOWN


def directions(own: Iterable[Suspect]) -> str:
    """Return in words which ways of a host are meant."""
    found = {one.way for one in own}
    if found == {Way.SENDS, Way.RECEIVES}:
        return "sends and receives"
    return "sends" if Way.SENDS in found else "receives"


def pairs_of(
    suspects: Iterable[Suspect],
) -> list[tuple[tuple[str, str, str], list[Suspect]]]:
    """Return suspect pairs by their ends and rail, both directions as one."""
    found: dict[tuple[str, str, str], list[Suspect]] = {}
    for one in suspects:
        if one.way is None:
            low, high = sorted(one.hosts)
            found.setdefault((low, high, one.rail), []).append(one)
    return sorted(found.items())


def ways(own: Iterable[Suspect]) -> str:
    """Return the directions of a pair in words."""
    return " and ".join(f"{one.host} to {one.peer}" for one in own)
