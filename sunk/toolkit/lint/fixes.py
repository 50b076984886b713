"""Apply safe fixes, and show them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sunk.toolkit.lint.model import Edit, Finding


def fixed(data: bytes, findings: Iterable[Finding]) -> tuple[bytes, tuple[Finding, ...]]:
    """Return a script with its safe fixes, and the findings that they mend.

    A fix that touches text of another is left for the next round.

    Args:
        data: the script.
        findings: of this very text.
    """
    taken: list[Edit] = []
    mended: list[Finding] = []
    for finding in findings:
        edits = [edit for edit in finding.edits if edit not in taken]
        if finding.edits and not any(_clash(edit, one) for edit in edits for one in taken):
            taken += edits
            mended.append(finding)
    for edit in sorted(taken, key=lambda one: (one.start, one.end), reverse=True):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data, tuple(mended)


def _clash(one: Edit, other: Edit) -> bool:
    if one.start == one.end or other.start == other.end:
        return one.start == other.start or (
            min(one.start, other.start) < max(one.start, other.start) < _end(one, other)
        )
    return one.start < other.end and other.start < one.end


def _end(one: Edit, other: Edit) -> int:
    return one.end if one.start <= other.start else other.end


def difference(path: str, before: bytes, after: bytes) -> str:
    """Return a unified diff of a script and its fixed form, empty when they are the same."""
    old, new = _lines(before), _lines(after)
    return "".join(difflib.unified_diff(old, new, fromfile=path, tofile=path))


def _lines(data: bytes) -> list[str]:
    """Return the lines with their ends; only line feeds end lines, as for patch(1)."""
    text = data.decode(errors="replace")
    lines = [f"{line}\n" for line in text.split("\n")]
    if lines[-1] == "\n":
        return lines[:-1]
    return [*lines[:-1], f"{lines[-1]}\\ No newline at end of file\n"]
