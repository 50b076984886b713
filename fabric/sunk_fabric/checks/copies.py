"""GPUs under load: copies from hosts and to each other, and the vendor's diagnostic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sunk.assess.judge import Answer
from sunk.assess.verdict import Verdict
from sunk_fabric import subjects
from sunk_fabric.checks.answers import each, said
from sunk_fabric.facts import Facts, Reading
from sunk_fabric.parse import dcgm_diag, nvbandwidth
from sunk_fabric.parse.dcgm_diag import Category, Diagnostic, Result
from sunk_fabric.parse.nvbandwidth import Copies

FROM_HOST = {
    "H100": (48.0, 50.4),
    "H200": (48.0, 50.4),
    "A100": (21.0, 24.0),
}
"""Words of a GPU's model -> 10⁹ bytes per second below which a copy fails, and is noted.
Published health checks of one cloud."""
TO_EACH_OTHER = {
    "H100 80GB HBM3": (335.0, 335.0),
    "A100-SXM4": (235.0, 235.0),
}
"""The same between GPUs on NVLink; models on cards have none, or other numbers of links."""
HOST_TESTS = ("host_to_device_memcpy_ce",)
PEER_TESTS = ("device_to_device_memcpy_read_ce", "device_to_device_memcpy_write_ce")
SETUP = "Deployment"
CONFIGURE, WATCH = 5, 1
"""Severities of DCGM's errors that are no defect of the part."""


def from_host(facts: Facts) -> Iterator[Answer]:
    """Copies from the host's memory reach the floor of the GPU's model."""

    def judge(reading: Reading[Copies]) -> Iterator[Answer]:
        yield from _judged(reading, HOST_TESTS, FROM_HOST)

    yield from each(facts, nvbandwidth.parse, judge)


def to_each_other(facts: Facts) -> Iterator[Answer]:
    """Copies between GPUs reach the floor of their model."""

    def judge(reading: Reading[Copies]) -> Iterator[Answer]:
        yield from _judged(reading, PEER_TESTS, TO_EACH_OTHER)

    yield from each(facts, nvbandwidth.parse, judge)


def _judged(
    reading: Reading[Copies], names: tuple[str, ...], floors: Mapping[str, tuple[float, float]]
) -> Iterator[Answer]:
    """Judge the slowest copy of each column, which is one GPU's."""
    run = reading.parsed.value
    for name in names:
        slowest: dict[int, float] = {}
        for row in run.tests.get(name, ()):
            for gpu, rate in enumerate(row):
                if rate is not None:
                    slowest[gpu] = min(rate, slowest.get(gpu, rate))
        for gpu, rate in sorted(slowest.items()):
            subject = _subject(reading, f"GPU{gpu}", name)
            yield said(*_against(rate, run.gpus.get(gpu, ""), floors), subject, reading)
    if not any(name in run.tests for name in names):
        why = next((f": {run.failed[name]}" for name in names if name in run.failed), "")
        words = f"{' or '.join(names)} was not run{why}"
        yield said(Verdict.UNKNOWN, words, _subject(reading), reading)


def _against(
    rate: float, model: str, floors: Mapping[str, tuple[float, float]]
) -> tuple[Verdict, str]:
    words = f"{rate:g} GB/s"
    known = next((floors[one] for one in sorted(floors) if one in model), None)
    if known is None:
        return Verdict.UNKNOWN, f"{words}; no floor is known for {model or 'this model'}"
    least, usual = known
    if rate < least:
        return Verdict.FAIL, f"{words}, {least:g} is the floor of {model}"
    verdict = Verdict.PASS if rate >= usual else Verdict.WARN
    return verdict, f"{words}, {usual:g} is usual of {model}"


def _subject(reading: Reading[Any], *parts: str) -> str:
    if reading.host:
        return subjects.node(reading.host, *parts)
    return subjects.run(reading.name or reading.path, *parts)


def diagnostic(facts: Facts) -> Iterator[Answer]:
    """No test of the vendor's diagnostic finds a defect."""

    def judge(reading: Reading[Diagnostic]) -> Iterator[Answer]:
        categories = reading.parsed.value.test_categories
        for category in categories:
            for test in category.tests:
                for one in test.results:
                    parts = (one.part, test.name) if one.part else (test.name,)
                    subject = _subject(reading, *parts)
                    yield said(*_result(category, one), subject, reading)
        if not any(_ran(one) for one in categories if one.category != SETUP):
            words = "no test of hardware ran: -r 2 and more has some"
            yield said(Verdict.UNKNOWN, words, _subject(reading), reading)

    yield from each(facts, dcgm_diag.parse, judge)


def _ran(category: Category) -> bool:
    return any(one.status in {"Pass", "Fail"} for test in category.tests for one in test.results)


def _result(category: Category, one: Result) -> tuple[Verdict, str]:
    """Return what a status means: a failed set-up says nothing of the part."""
    told = one.warnings
    words = told if isinstance(told, str) else "; ".join(each.warning for each in told)
    severities = set() if isinstance(told, str) else {each.error_severity for each in told}
    if one.status == "Pass":
        return Verdict.PASS, "passed"
    if one.status == "Warn" or (one.status == "Fail" and severities == {WATCH}):
        return Verdict.WARN, words or "warned without a word"
    if one.status != "Fail":
        return Verdict.SKIP, words or "not run"
    setup = severities == {CONFIGURE} or (
        category.category == SETUP and severities <= {None, CONFIGURE}
    )
    if setup:
        return Verdict.UNKNOWN, f"set-up, no defect: {words or 'no word of it'}"
    return Verdict.FAIL, words or "failed without a word"
