"""nvbandwidth: copy rates between hosts and GPUs, from its text or its JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed, Reader, printable

Matrix = tuple[tuple[float | None, ...], ...]
"""Rows of 10⁹ bytes per second; None where nothing was copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """One run.

    Attributes:
        driver: version of the GPU driver.
        gpus: number -> model.
        tests: name -> rates: ``host_to_device_memcpy_ce``.
        failed: tests that gave no rates -> why; of JSON.
    """

    driver: str
    gpus: Mapping[int, str]
    tests: Mapping[str, Matrix]
    failed: Mapping[str, str]


_NOTHING = Copies(driver="", gpus={}, tests={}, failed={})
_DEVICE = re.compile(r"(?:Device )?(\d{1,4}): (\S.{0,120}?) \([0-9A-Za-z:.]{4,24}\)(?:: \(.*\))? *")
_DRIVER = re.compile(r"Driver Version: (\S{1,40}) *")
_RUNNING = re.compile(r"Running ([a-z][a-z0-9_]{2,80})\. *")
_COLUMNS = re.compile(r" +\d{1,4}(?: +\d{1,4}){0,127} *")
_CELL = r"(?:\d{1,7}\.\d{1,4}|N/A)"
_ROW = re.compile(rf" *\d{{1,4}} +({_CELL}(?: +{_CELL}){{0,127}}) *")
_SUM = re.compile(r"SUM [a-z0-9_]{3,81} \d{1,9}\.\d{1,4} *")
_ASIDE = re.compile(
    r"nvbandwidth Version: .*|Built from Git version: .*|CUDA (?:Runtime|Driver) Version: .*"
    r"|Waived: .*|NOTE: The reported results .*|Performance can vary .*|.* bandwidth \(GB/s\) *"
    r"|[A-Za-z0-9][A-Za-z0-9.-]{0,254} *"
)


class _Test(msgspec.Struct, frozen=True):
    name: str = ""
    status: str = ""
    matrix: tuple[tuple[str | float, ...], ...] = msgspec.field(name="bandwidth_matrix", default=())


class _Run(msgspec.Struct, frozen=True):
    testcases: tuple[_Test, ...] = ()
    driver: str = msgspec.field(name="Driver Version", default="")
    devices: tuple[str, ...] = msgspec.field(name="GPU Device list", default=())


class _Whole(msgspec.Struct, frozen=True):
    nvbandwidth: _Run = _Run()


def parse(content: Content) -> Parsed[Copies]:
    """Return the rates; a text without any is damage."""
    whole = content if isinstance(content, bytes) else b"".join(content)
    return _json(whole) if whole.lstrip().startswith(b"{") else _text(whole)


def _json(whole: bytes) -> Parsed[Copies]:
    parsed: Parsed[Any] = json_text.decode(whole, _Whole, _Whole())
    run = parsed.value.nvbandwidth
    wrong = list(parsed.damage)
    tests: dict[str, Matrix] = {}
    failed: dict[str, str] = {}
    for one in run.testcases:
        try:
            rows = tuple(tuple(_number(cell) for cell in row) for row in one.matrix)
        except ValueError:
            rows = ()
            wrong.append(f"{printable(one.name)} has a rate that is no number")
        if rows:
            tests[printable(one.name)] = rows
        else:
            failed[printable(one.name)] = printable(one.status)
    found = [_DEVICE.fullmatch(one) for one in run.devices]
    if parsed.sound and not tests:
        wrong.append("there are no rates in it")
    return Parsed(
        value=Copies(
            driver=printable(run.driver),
            gpus={int(one[1]): printable(one[2]) for one in found if one},
            tests=tests,
            failed=failed,
        ),
        lines=parsed.lines,
        unknown=0,
        quoted=(),
        damage=tuple(wrong),
    )


def _number(cell: str | float) -> float | None:
    if cell == "N/A":
        return None
    rate = float(cell)
    if not 0 <= rate < 1e7:
        raise ValueError(cell)
    return rate


def _text(whole: bytes) -> Parsed[Copies]:
    reader = Reader(whole)
    driver, test = "", ""
    gpus: dict[int, str] = {}
    tests: dict[str, list[tuple[float | None, ...]]] = {}
    summed: set[str] = set()
    for line in reader:
        device, running, row = (one.fullmatch(line) for one in (_DEVICE, _RUNNING, _ROW))
        if device:
            gpus[int(device[1])] = printable(device[2])
        elif told := _DRIVER.fullmatch(line):
            driver = told[1]
        elif running:
            test = running[1]
        elif row and test:
            tests.setdefault(test, []).append(tuple(_number(one) for one in row[1].split()))
        elif _SUM.fullmatch(line):
            summed.add(test)
        elif line.strip() and not (_COLUMNS.fullmatch(line) or _ASIDE.fullmatch(line)):
            reader.unknown(line)
    if not tests:
        reader.damaged("there are no rates in it")
    for name in sorted(tests.keys() - summed):
        reader.damaged(f"{name} has no sum: the run did not end")
    rates = {name: tuple(rows) for name, rows in tests.items()}
    return reader.outcome(Copies(driver=driver, gpus=gpus, tests=rates, failed={}))
