"""Lines of a log that many ranks write: whole ones only, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SRUN = re.compile(r" *([0-9]{1,9}): (.*)")
_MPIRUN = re.compile(r"\[[0-9]{1,9},([0-9]{1,9})\]<std(?:out|err)>: ?(.*)")


def whole_lines(text: str) -> Iterator[str]:
    """Yield the lines that have an end; half a line at the end of a cut log may say another thing.

    Args:
        text: the log; colours are taken out.
    """
    plain = re.sub(r"\x1b\[[0-9;]{0,20}m", "", text)
    for line in plain.splitlines(keepends=True):
        kept = line.rstrip("\r\n")
        if kept != line:
            yield kept


def without_label(line: str) -> tuple[int | None, str]:
    """Return the rank that ``srun --label`` or ``mpirun --tag-output`` put first, and the rest."""
    found = _SRUN.fullmatch(line) or _MPIRUN.fullmatch(line)
    return (None, line) if found is None else (int(found[1]), found[2])
