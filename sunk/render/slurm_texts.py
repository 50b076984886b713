"""What Slurm's commands print for people, as keys and values; pure.

`scontrol show config` is a table of ``Key = Value``, `show partition` and `show node` are records
of ``Key=Value`` on one line or many. Values of nodes may hold blanks and anything that people
wrote; of two equal keys in a record the first counts, because free text stands behind the facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sunk.errors import InputError, clip

NOTHING = frozenset({"", "(null)", "N/A", "NONE", "None", "n/a"})
"""Slurm's words for no value."""
_CONFIG = re.compile(r"(?P<key>[A-Za-z][A-Za-z0-9_.]*)\s*= ?(?P<value>.*)")
_PAIR = re.compile(r"(?:^|\s)(?P<key>[A-Za-z][A-Za-z0-9_:/]*)=(?P<value>\S*)")
_TIME = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")
_MEMORY = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[KMGTP]?)")
_MIB = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}


def read_configuration(text: str, *, source: str) -> dict[str, str]:
    """Return the keys of ``scontrol show config``.

    Raises:
        InputError: there is no ClusterName in it, so it is something else or cut.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _CONFIG.fullmatch(line.strip()):
            found.setdefault(match["key"], match["value"].strip())
    if "ClusterName" not in found:
        raise InputError(
            f"read {source}: no ClusterName in it",
            hint="wanted: the output of scontrol show config",
        )
    return found


def read_records(text: str, first_key: str, *, source: str) -> tuple[Mapping[str, str], ...]:
    """Return the records of ``scontrol show partition`` or ``scontrol show node``.

    Args:
        text: what it printed, with or without ``--oneliner``.
        first_key: the key that begins a record: ``PartitionName``, ``NodeName``.
        source: where the text comes from, for messages.

    Raises:
        InputError: the text does not begin with a record.
    """
    parts = re.split(rf"^(?={re.escape(first_key)}=)", text, flags=re.MULTILINE)
    if parts[0].strip():
        raise InputError(
            f"read {source}: begins with {clip(parts[0], 40)!r}, not with {first_key}=",
            hint="wanted: the output of scontrol --oneliner show",
        )
    return tuple(dict(_pairs(part)) for part in parts[1:])


def _pairs(record: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for match in _PAIR.finditer(record):
        if match["key"] not in seen:
            seen.add(match["key"])
            yield match["key"], match["value"]


def read_table(text: str, *, source: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of ``sacctmgr --parsable2``, by the names in its first line.

    Raises:
        InputError: a row has not as many fields as the first line.
    """
    lines = text.splitlines()
    if not lines:
        raise InputError(
            f"read {source}: empty", hint="wanted: the output of sacctmgr --parsable2 show"
        )
    names = lines[0].split("|")
    rows = [line.split("|") for line in lines[1:] if line.strip()]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(f"read {source}, line {number}: {len(row)} fields, not {len(names)}")
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def words(text: str, *, everything: str = "ALL") -> tuple[str, ...]:
    """Return the words of a list, sorted; none for all of them, or for no value."""
    if text in NOTHING or text == everything:
        return ()
    return tuple(sorted({word for word in text.split(",") if word}))


def number(text: str) -> int | None:
    """Return a count; None for no limit and no value.

    Raises:
        InputError: it is neither.
    """
    if text in NOTHING or text in {"UNLIMITED", "INFINITE"}:
        return None
    digits = text.partition(" ")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise InputError(f"read a number of Slurm: {clip(text, 40)!r} is none")
    return int(digits)


def minutes(text: str) -> int | None:
    """Return a time of Slurm in minutes, rounded up; None for no limit and no value.

    Raises:
        InputError: it is neither.
    """
    if text in NOTHING or text in {"UNLIMITED", "INFINITE"}:
        return None
    match = _TIME.fullmatch(text)
    if match is None or len(text) > 24:
        raise InputError(
            f"read a time of Slurm: {clip(text, 40)!r} is none", hint="for example: 1-12:00:00"
        )
    first, second, third = (int(match[name] or 0) for name in ("first", "second", "third"))
    if match["days"] is not None:
        seconds = int(match["days"]) * 86400 + first * 3600 + second * 60 + third
    elif match["third"] is not None:
        seconds = first * 3600 + second * 60 + third
    else:
        # One number is minutes, two are minutes and seconds.
        seconds = first * 60 + second
    return -(-seconds // 60)


def mebibytes(text: str) -> int | None:
    """Return an amount of memory in MiB, rounded down; None for no limit and no value.

    Raises:
        InputError: it is neither.
    """
    if text in NOTHING or text in {"UNLIMITED", "INFINITE"}:
        return None
    match = _MEMORY.fullmatch(text)
    if match is None or len(text) > 24:
        raise InputError(
            f"read an amount of memory of Slurm: {clip(text, 40)!r} is none", hint="such as 4G"
        )
    return int(float(match["number"]) * _MIB[match["unit"]])


def tres(text: str) -> dict[str, int]:
    """Return the counts of a TRES text, ``cpu=8,mem=4G,gres/gpu=2``; memory in MiB.

    Raises:
        InputError: a part is not name and amount.
    """
    found: dict[str, int] = {}
    for part in words(text):
        name, equals, amount = part.partition("=")
        value = mebibytes(amount) if name == "mem" else number(amount)
        if not equals:
            raise InputError(f"read TRES {clip(text, 60)!r}: {part!r} is not name=amount")
        if value is not None:
            found[name] = value
    return found
