"""Log of Megatron-LM and what is built on it: a line for every so many iterations."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader

LINE_LIMIT = 65_536
"""Characters: programs print their arguments between."""
_NUMBER = r"(\d{1,12}(?:\.\d{1,12})?)"
_ITERATION = re.compile(r"(?:^|[\s|\]])iteration +(\d{1,12})/ *(\d{1,12}) +\|")
_TIME = re.compile(rf"elapsed time per iteration \(ms\): {_NUMBER}(?![\d.])")
_RATE = re.compile(rf"throughput per GPU \(TFLOP/s/GPU\): {_NUMBER}(?![\d.])")


@dataclass(frozen=True, slots=True)
class Iteration:
    """The mean of some iterations.

    Attributes:
        number: of the last of them.
        seconds: for one.
        tflops: 10¹² operations a second of a GPU; None when not told.
    """

    number: int
    seconds: float
    tflops: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a log tells.

    Attributes:
        wanted: iterations to end at.
        iterations: in the order of the log.
    """

    wanted: int
    iterations: tuple[Iteration, ...]


def parse(content: Content) -> Parsed[Progress]:
    """Return the progress; a log without one such line is damage.

    Lines of other parts of the program stand between and are no fault.
    """
    reader = Reader(content, line_limit=LINE_LIMIT)
    wanted, found = 0, []
    for line in reader:
        told = _ITERATION.search(line)
        if not told:
            continue
        time, rate = _TIME.search(line), _RATE.search(line)
        if not time or not float(time[1]):
            reader.unknown(line)
            continue
        wanted = int(told[2])
        tflops = float(rate[1]) if rate else None
        found.append(Iteration(int(told[1]), float(time[1]) / 1000, tflops))
    if not found:
        reader.damaged("no line tells of an iteration")
    return reader.outcome(Progress(wanted, tuple(found)))
