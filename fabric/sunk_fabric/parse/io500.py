"""io500: bandwidth and metadata rates of one run, phase by phase."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase.

    Attributes:
        value: 10⁹ bytes per second, or operations per second.
        seconds: how long it took.
        valid: whether it kept the benchmark's own rules.
    """

    value: float
    seconds: float
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One run.

    Attributes:
        version: of the benchmark.
        bandwidth: phase -> 10⁹ bytes per second: ``ior-easy-write``.
        metadata: phase -> operations per second: ``mdtest-easy-stat``.
    """

    version: str
    bandwidth: Mapping[str, Phase]
    metadata: Mapping[str, Phase]


_NUMBER = r"(\d{1,9}\.\d{1,9})"
_PHASE = re.compile(
    rf"\[RESULT\] +([a-z0-9-]{{1,40}}) +{_NUMBER} (GiB/s|kIOPS) +: time {_NUMBER} seconds"
    r"( \[INVALID\])? *"
)
_VERSION = re.compile(r"IO500 version (\S{1,60})(?: \(\w{1,20}\))? *")
_SCORE = re.compile(
    rf"\[SCORE ?\] +Bandwidth {_NUMBER} GiB/s +: IOPS {_NUMBER} ki?ops +: TOTAL {_NUMBER}"
    r"( \[INVALID\])? *",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"(?:\[ {6}\] +timestamp|ERROR INVALID \() ?.*")
GIB_IN_GB = 2**30 / 1e9


def parse(content: Content) -> Parsed[Scores]:
    """Return the phases; a text without its score is damage, as the run did not end."""
    reader = Reader(content)
    version, ended = "", False
    bandwidth: dict[str, Phase] = {}
    metadata: dict[str, Phase] = {}
    for line in reader:
        phase, told = _PHASE.fullmatch(line), _VERSION.fullmatch(line)
        if phase and phase[1] in bandwidth.keys() | metadata.keys():
            reader.damaged(f"{phase[1]} is told twice: these are several runs")
        elif phase:
            name, value, unit, seconds, invalid = phase.groups()
            factor = GIB_IN_GB if unit == "GiB/s" else 1000.0
            one = Phase(float(value) * factor, float(seconds), not invalid)
            (bandwidth if unit == "GiB/s" else metadata)[name] = one
        elif told:
            version = told[1]
        elif _SCORE.fullmatch(line):
            ended = True
        elif line.strip() and not _ASIDE.fullmatch(line):
            reader.unknown(line)
    if not bandwidth and not metadata:
        reader.damaged("there is no result")
    if not ended:
        reader.damaged("there is no score: the run did not end")
    return reader.outcome(Scores(version=version, bandwidth=bandwidth, metadata=metadata))
