"""What ibdiagnet prints, its file ibdiagnet2.log: the stages with their warnings and errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

_STAGES = re.compile(r"-I- Stage\s+Warnings\s+Errors(?:\s+Comment)?\s*")
_ROW = re.compile(r"-I- (\w[\w /&()-]{0,60}?)\s{2,}(\d{1,9})\s+(\d{1,9})(?:\s.*)?")
_SAID = re.compile(r"-([IWE])- (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage.

    Attributes:
        name: ``Port Counters``.
        warnings: how many.
        errors: how many.
    """

    name: str
    warnings: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One run.

    Attributes:
        stages: of the summary, in its order.
        errors: first lines that tell an error, safe to show; the screen has five of each kind.
        warnings: first lines that tell a warning.
    """

    stages: tuple[Stage, ...] = ()
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


KEPT = 20


def parse(content: Content) -> Parsed[Screen]:
    """Return the summary; a run without one did not get to its end, which is damage.

    Between the tool's marked lines stand tables and lists in many forms; they are not read.
    """
    reader = Reader(content)
    stages: list[Stage] = []
    said: dict[str, list[str]] = {"W": [], "E": []}
    summary = False
    for line in reader:
        if _STAGES.fullmatch(line):
            summary, stages = True, []
            continue
        row, told = _ROW.fullmatch(line), _SAID.fullmatch(line)
        if row and summary:
            stages.append(Stage(name=row[1], warnings=int(row[2]), errors=int(row[3])))
        elif told and told[1] in said and len(said[told[1]]) < KEPT:
            said[told[1]].append(printable(told[2]))
    if not stages:
        reader.damaged("there is no summary of stages: the run did not get to its end")
    return reader.outcome(
        Screen(stages=tuple(stages), errors=tuple(said["E"]), warnings=tuple(said["W"]))
    )
