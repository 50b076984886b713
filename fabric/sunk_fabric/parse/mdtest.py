"""mdtest: how many files a second can be made, looked at and taken away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """One run.

    Attributes:
        tasks: how many processes.
        nodes: on how many hosts.
        iterations: how often it was repeated.
        per_second: operation -> operations per second, mean of the repetitions; operations that
            were not asked for are left out.
    """

    tasks: int
    nodes: int
    iterations: int
    per_second: Mapping[str, float]


_LAUNCHED = re.compile(
    r"mdtest-\S{1,40} was launched with (\d{1,9}) total task\(s\) on (\d{1,7}) node\(s\)"
)
_SUMMARY = re.compile(r"SUMMARY rate(?: \(in ops/sec\))?: \(of (\d{1,6}) iterations\)")
_NUMBER = r"\d{1,12}\.\d{1,6}"
_ROW = re.compile(
    rf" {{3}}([A-Z][a-z]{{1,20}} [a-z]{{1,20}}) *(?: : *)?"
    rf"{_NUMBER} +{_NUMBER} +({_NUMBER}) +{_NUMBER} *"
)
_HEADER = re.compile(r" {3}(?:Operation +Max +Min +Mean +Std Dev|-{3,12}(?: +-{3,10}){4}) *")
_ASIDE = re.compile(
    r"-- started at .*|Command line used: .*|Path *: .*|FS *: .*|Nodemap: \d+ *"
    r"|\d{1,9} tasks, \d{1,15} (?:files|directories|files/directories) *"
)
_FINISHED = "-- finished at "


def parse(content: Content) -> Parsed[Rates]:
    """Return the rates; a text without its end is damage, as the run did not get to it."""
    reader = Reader(content)
    tasks = nodes = iterations = 0
    ended = False
    rates: dict[str, float] = {}
    for line in reader:
        row, launched = _ROW.fullmatch(line), _LAUNCHED.fullmatch(line.rstrip())
        summary = _SUMMARY.fullmatch(line.rstrip())
        if row and row[1] in rates:
            reader.damaged(f"{row[1]} is told twice: these are several runs")
        elif row:
            rates[row[1]] = float(row[2])
        elif launched:
            tasks, nodes = int(launched[1]), int(launched[2])
        elif summary:
            iterations = int(summary[1])
        elif line.startswith(_FINISHED):
            ended = True
        elif line.strip() and not (_HEADER.fullmatch(line) or _ASIDE.fullmatch(line)):
            reader.unknown(line)
    if not rates:
        reader.damaged("there is no rate in it")
    if not ended:
        reader.damaged("it does not tell when it finished: the run did not end")
    asked = {name: rate for name, rate in rates.items() if rate > 0}
    return reader.outcome(Rates(tasks=tasks, nodes=nodes, iterations=iterations, per_second=asked))
