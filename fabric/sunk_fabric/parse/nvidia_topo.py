"""nvidia-smi topo -m: how near GPUs and network cards are to each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader, printable

NEAREST_FIRST = ("X", "NV", "PIX", "PXB", "PHB", "NODE", "SYS")
"""Classes by distance; NV18 counts as NV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """One matrix.

    Attributes:
        names: rows, which are the first columns too: ``GPU0``, ``NIC0``.
        cells: (row, column) -> class.
        nics: ``NIC0`` -> device, from the legend; older drivers name the device in the column.
        numa: GPU -> NUMA affinity as printed; where the driver prints one.
    """

    names: tuple[str, ...]
    cells: Mapping[tuple[str, str], str]
    nics: Mapping[str, str]
    numa: Mapping[str, str]


_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_NAME = re.compile(r"(?:GPU|NIC)\d{1,4}|mlx\d_\w{1,20}")
_CLASS = re.compile(r"X|SYS|NODE|PHB|PXB|PIX|NV\d{1,2}|PSB|C2C")
_LEGEND = re.compile(r"  +(NIC\d{1,4}): (\S{1,64})\s*")
_EXPLAINED = re.compile(r"(?:NIC )?Legend:\s*|  +(?:X|SYS|NODE|PHB|PXB|PIX|NV#|PSB|C2C) +=.*")


def parse(content: Content) -> Parsed[Matrix]:
    """Return the matrix; a row of another length than the header is damage."""
    reader = Reader(content)
    columns: list[str] = []
    titles: list[str] = []
    cells: dict[tuple[str, str], str] = {}
    rows: list[str] = []
    nics: dict[str, str] = {}
    numa: dict[str, str] = {}
    for styled in reader:
        line = _STYLE.sub("", styled)
        legend = _LEGEND.fullmatch(line)
        words = line.split()
        if legend:
            nics[legend[1]] = printable(legend[2])
        elif not columns and line.startswith("\t") and words and _NAME.fullmatch(words[0]):
            titles = [one.strip() for one in line.split("\t")[1:]]
            columns = [one for one in titles if _NAME.fullmatch(one)]
        elif columns and words and _NAME.fullmatch(words[0]) and not line[0].isspace():
            _row(reader, words, columns, cells)
            rows.append(words[0])
            _affinity(line, titles, numa)
        elif words and not _EXPLAINED.fullmatch(line):
            reader.unknown(line)
    if rows != columns or not rows:
        reader.damaged("rows and columns of the matrix are not the same")
    return reader.outcome(Matrix(names=tuple(rows), cells=cells, nics=nics, numa=numa))


def _row(
    reader: Reader, words: list[str], columns: list[str], cells: dict[tuple[str, str], str]
) -> None:
    own, values = words[0], words[1 : len(columns) + 1]
    if len(values) < len(columns) or not all(_CLASS.fullmatch(one) for one in values):
        reader.damaged(f"row {own} has not one class for every column")
        return
    cells.update({(own, column): value for column, value in zip(columns, values, strict=True)})


def _affinity(line: str, titles: list[str], numa: dict[str, str]) -> None:
    texts = [one.strip() for one in line.split("\t")]
    if "NUMA Affinity" in titles:
        place = titles.index("NUMA Affinity") + 1
        if place < len(texts) and texts[place]:
            numa[texts[0]] = printable(texts[place])
