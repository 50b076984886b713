"""The judge: from checks and facts to findings, where one cause is one red line.

The rules, in this order, for every answer that a check gives:

1. A check that crashes, has no judge function, or says nothing is UNKNOWN with its cause; one
   without a judge function is nothing more, whatever it depends on.
2. PASS and WARN need evidence, and evidence that exists; without it the answer is UNKNOWN.
3. What a check says does not apply is SKIP, whatever it depends on. A check whose dependency is
   SKIP for this subject is SKIP too: the question does not arise.
4. A check whose dependency is neither PASS nor SKIP there, or says nothing about this subject, is
   BLOCKED by the root cause, whatever it would have said itself.
5. A FAIL or WARN that another check's FAIL about the same subject explains is BLOCKED by that one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sunk.assess.check import Check
from sunk.assess.graph import ordered
from sunk.assess.verdict import Finding, Verdict
from sunk.errors import ConfigError, clip

F = TypeVar("F")

NOT_IMPLEMENTED = "not implemented"
"""Begins what is found by a check without a judge function; the reason follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a check's judge function says about one subject.

    Attributes:
        verdict: PASS, WARN, FAIL, SKIP or UNKNOWN; BLOCKED is the judge's own to give.
        found: what was seen, in words.
        subject: a path, ``node/gpu001/mlx5_0``; empty for the whole site.
        evidence: ids of what proves it.
        touches: further subjects that it is about, such as both ends of a link.
        remedy: the step that mends this very case, where it is more than the check's own.
    """

    verdict: Verdict
    found: str
    subject: str = ""
    evidence: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    remedy: str = ""


JudgeFunction = Callable[[F], Iterable[Answer]]


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[F]):
    """Checks with the functions that answer them.

    Attributes:
        checks: in an order that respects dependencies.
        judges: by a check's id; checks without one are UNKNOWN, as not implemented.
        unjudged: by the id of a check without one, why it has none.
    """

    checks: tuple[Check, ...]
    judges: Mapping[str, JudgeFunction[F]]
    unjudged: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the checks in order.

        Raises:
            ConfigError: circles, unknown dependencies, double ids, judges of no check.
        """
        object.__setattr__(self, "checks", ordered(self.checks))
        unknown = sorted(set(self.judges) - {one.id for one in self.checks})
        if unknown:
            raise ConfigError(f"order the checks: {unknown[0]} has a judge and is no check")


def judge(catalogue: Catalogue[F], facts: F, evidence: Collection[str]) -> tuple[Finding, ...]:
    """Return every finding, sorted by check and subject.

    Args:
        catalogue: the questions.
        facts: what was parsed; judge functions only read it.
        evidence: ids of the evidence that exists and was verified.
    """
    given = frozenset(evidence)
    spoken: dict[str, _Spoken] = {}
    for check in catalogue.checks:
        function = catalogue.judges.get(check.id)
        findings = _Spoken()
        if function is None:
            why = catalogue.unjudged.get(check.id, "this version has no judge for it")
            findings.add(_not_implemented(check, why), ())
        for answer in _answers(check, function, facts) if function else ():
            findings.add(_finding(check, _proven(answer, given), spoken), answer.touches)
        spoken[check.id] = findings
    every = [one for findings in spoken.values() for one in findings.findings]
    return tuple(sorted(every, key=_place))


def _place(one: Finding) -> tuple[str, str, str, str, tuple[str, ...]]:
    return (one.check, one.subject, one.verdict, one.found, one.evidence)


def _not_implemented(check: Check, why: str) -> Finding:
    return Finding(
        check=check.id,
        verdict=Verdict.UNKNOWN,
        found=f"{NOT_IMPLEMENTED}: {why}",
        domain=check.domain,
    )


def is_unjudged(finding: Finding) -> bool:
    """Return whether a finding is that its check has no judge function."""
    return finding.found.startswith(f"{NOT_IMPLEMENTED}: ")


def _answers(check: Check, function: JudgeFunction[F], facts: F) -> tuple[Answer, ...]:
    try:
        answers = tuple(function(facts))
    except Exception as exc:  # noqa: BLE001 - a crashed check is an answer: not known
        cause = clip(f"{type(exc).__name__}: {exc}")
        return (Answer(verdict=Verdict.UNKNOWN, found=f"{check.id} crashed: {cause}"),)
    return answers or (Answer(verdict=Verdict.UNKNOWN, found="found nothing to judge"),)


def _proven(answer: Answer, given: frozenset[str]) -> Answer:
    if answer.verdict is Verdict.BLOCKED:
        return _unknown(answer, "a judge function may not block")
    if answer.verdict not in {Verdict.PASS, Verdict.WARN}:
        return answer
    if not answer.evidence:
        return _unknown(answer, "no evidence")
    missing = sorted(set(answer.evidence) - given)
    if missing:
        return _unknown(answer, f"evidence {', '.join(missing)} is not there")
    return answer


def _unknown(answer: Answer, why: str) -> Answer:
    return Answer(
        verdict=Verdict.UNKNOWN,
        found=f"{why}, for: {answer.found}",
        subject=answer.subject,
        touches=answer.touches,
    )


def _finding(check: Check, answer: Answer, spoken: Mapping[str, _Spoken]) -> Finding:
    verdict, found = answer.verdict, answer.found
    roots: tuple[str, ...] = ()
    waits_for = check.depends_on if verdict is not Verdict.SKIP else ()
    about = (answer.subject, *answer.touches)
    obstacles = {name: spoken[name].obstacle(about) for name in waits_for}
    blocking = {
        name: one for name, one in obstacles.items() if one and one.verdict is not Verdict.SKIP
    }
    if verdict in {Verdict.FAIL, Verdict.WARN}:
        causes = {name: spoken[name].failure(about) for name in check.explained_by}
        blocking |= {name: one for name, one in causes.items() if one}
    skipping = sorted(name for name, one in obstacles.items() if one and name not in blocking)
    if blocking:
        verdict = Verdict.BLOCKED
        roots = _roots(blocking)
        found = f"waits for {', '.join(roots)}"
    elif skipping:
        verdict, found = Verdict.SKIP, f"not applicable, as {skipping[0]} is not"
    mends = verdict in {Verdict.FAIL, Verdict.WARN}
    return Finding(
        check=check.id,
        verdict=verdict,
        found=found,
        remedy=(answer.remedy or check.remedy) if mends else "",
        subject=answer.subject,
        domain=check.domain,
        evidence=tuple(sorted(set(answer.evidence))),
        blocked_by=roots,
    )


def _roots(blocking: Mapping[str, Finding]) -> tuple[str, ...]:
    found: set[str] = set()
    for name, one in blocking.items():
        found |= set(one.blocked_by) or {name}
    return tuple(sorted(found))


class _Spoken:
    """Findings of one check, found again by the subjects they are about.

    Two subjects concern each other when one is the other, or lies above it in its path.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._at: dict[str, list[Finding]] = {}
        self._below: dict[str, list[Finding]] = {}

    def add(self, finding: Finding, touches: Iterable[str]) -> None:
        self.findings.append(finding)
        for subject in {finding.subject, *touches}:
            self._at.setdefault(subject, []).append(finding)
            for above in _above(subject):
                self._below.setdefault(above, []).append(finding)

    def obstacle(self, about: Iterable[str]) -> Finding | None:
        """Return a finding that keeps from answering, or nothing; the worst kind first."""
        related = [one for subject in about for one in self._related(subject)]
        if not related:
            return Finding(check="", verdict=Verdict.UNKNOWN, found="nothing said about it")
        bad = [one for one in related if one.verdict is not Verdict.PASS]
        return min(bad, key=_hindrance, default=None)

    def failure(self, about: Iterable[str]) -> Finding | None:
        """Return a FAIL about these subjects, or nothing."""
        related = (one for subject in about for one in self._related(subject))
        bad = (one for one in related if one.verdict is Verdict.FAIL)
        return min(bad, key=_hindrance, default=None)

    def _related(self, subject: str) -> Iterator[Finding]:
        yield from self._at.get(subject, ())
        yield from self._below.get(subject, ())
        for above in _above(subject):
            yield from self._at.get(above, ())


def _hindrance(finding: Finding) -> tuple[bool, str, str, str]:
    skipped = finding.verdict is Verdict.SKIP
    return (skipped, finding.verdict, finding.subject, finding.found)


def _above(subject: str) -> Iterator[str]:
    if not subject:
        return
    words = subject.split("/")
    for length in range(1, len(words)):
        yield "/".join(words[:length])
    yield ""
