"""How judge functions answer: words made safe to show, and no answer from unsound text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.facts import Facts, Parser, Reading
from sunk_fabric.parse.formats import BY_NAME
from sunk_fabric.parse.pod_networks import PodAttachments
from sunk_fabric.parse.text import printable

T = TypeVar("T")
WORDS_LIMIT = 600
ENDS_WELL = {
    "ibqueryerrors": frozenset({0, 1}),
    "sharp_manager": frozenset({0, 3, 4}),
    "sminfo": frozenset({0, 255}),
    "ibdmchk": frozenset({0, -11, 139}),
}
"""Format -> exit codes after which its output is whole; 0 for all others."""
NO_SUCH_COMMAND = 127
"""How a shell ends that finds no program of that name."""

NO_SUCH_KIND = 404
"""What a Kubernetes API answers for a resource that no CustomResourceDefinition makes."""


def said(
    verdict: Verdict,
    found: str,
    subject: str,
    *readings: Reading[Any],
    touches: Iterable[str] = (),
    remedy: str = "",
) -> Answer:
    """Return an answer whose foreign text cannot reach a terminal as it is."""
    return Answer(
        verdict=verdict,
        found=printable(found, WORDS_LIMIT),
        subject=subject,
        evidence=tuple(one.evidence for one in readings),
        touches=tuple(touches),
        remedy=printable(remedy, WORDS_LIMIT) if remedy else "",
    )


def place(reading: Reading[Any]) -> str:
    """Return the subject of a whole reading: its host, or the fabric."""
    return subjects.node(reading.host) if reading.host else subjects.FABRIC


def trouble(reading: Reading[Any]) -> str:
    """Return why no verdict may rest on a reading; empty when one may."""
    if reading.incomplete:
        return f"{reading.path}: {reading.incomplete}"
    if reading.exit_code == NO_SUCH_COMMAND:
        return f"{reading.path}: there is no such command: {BY_NAME[reading.format].command}"
    if reading.exit_code == NO_SUCH_KIND:
        return f"{reading.path}: Kubernetes has no such kind of object: nobody installed it"
    if reading.parsed.trouble:
        return f"{reading.path}: {reading.parsed.trouble}"
    well = ENDS_WELL.get(reading.format, frozenset({0}))
    if reading.exit_code is not None and reading.exit_code not in well:
        return f"{reading.path}: the command ended with exit code {reading.exit_code}"
    return ""


def missing(*parsers: Parser[Any]) -> Answer:
    """Return the answer for outputs that nobody collected."""
    commands = " or ".join(BY_NAME[one.__module__.rpartition(".")[2]].command for one in parsers)
    return Answer(verdict=Verdict.UNKNOWN, found=f"no output of {commands}")


def each(
    facts: Facts, parser: Parser[T], judge: Callable[[Reading[T]], Iterable[Answer]]
) -> Iterator[Answer]:
    """Ask about every sound reading; unsound ones are UNKNOWN with what is wrong with them."""
    readings = facts.of(parser)
    if not readings:
        yield missing(parser)
    for one in readings:
        wrong = trouble(one)
        if wrong:
            yield said(Verdict.UNKNOWN, wrong, place(one), one)
        else:
            yield from judge(one)


def either(
    facts: Facts, *ways: tuple[Parser[Any], Callable[[Reading[Any]], Iterable[Answer]]]
) -> Iterator[Answer]:
    """Ask about the readings of several formats, any of which will do."""
    there = [(parser, judge) for parser, judge in ways if facts.of(parser)]
    if not there:
        yield missing(*(parser for parser, _ in ways))
    for parser, judge in there:
        yield from each(facts, parser, judge)


def each_named(
    facts: Facts,
    parser: Parser[Mapping[str, T]],
    judged: Callable[[T], tuple[Verdict, str]],
    nothing: str,
) -> Iterator[Answer]:
    """Ask about every device that a host's text tells of by name; SKIP with `nothing` for none."""

    def judge(reading: Reading[Mapping[str, T]]) -> Iterator[Answer]:
        for name, one in sorted(reading.parsed.value.items()):
            yield said(*judged(one), subjects.node(reading.host, name), reading)
        if not reading.parsed.value:
            yield said(Verdict.SKIP, nothing, place(reading), reading)

    yield from each(facts, parser, judge)


def lacking(facts: Facts, *parsers: Parser[Any]) -> tuple[Answer, ...]:
    """Return why no verdict may rest on all of these; empty where each has a sound reading."""
    return tuple(
        answer
        for parser in parsers
        if not sound(facts, parser)
        for answer in each(facts, parser, lambda _reading: ())
    )


def latest(facts: Facts, parser: Parser[T]) -> Reading[T]:
    """Return the last sound reading; there must be one."""
    return max(sound(facts, parser), key=lambda one: (one.at, one.path))


def sound(facts: Facts, parser: Parser[T], *, pods: bool = False) -> tuple[Reading[T], ...]:
    """Return the readings that a verdict may rest on."""
    return tuple(one for one in facts.of(parser, pods=pods) if not trouble(one))


def inside(facts: Facts, parser: Parser[T]) -> Callable[[PodAttachments], Reading[T] | None]:
    """Return what finds the sound reading that was taken inside a Pod."""
    found = {one.host: one for one in sound(facts, parser, pods=True)}
    return lambda pod: next((found[one] for one in pod.hosts if one in found), None)
