"""Records of infiniband-diags with dots between name and value, as three tools print them."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from sunk_fabric.parse.text import Reader, printable


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        title: the line above it, without its mark: ``Port counters: Lid 2 port 33``.
        values: name -> text, safe to show.
    """

    title: str
    values: Mapping[str, str] = field(default_factory=dict)


_PART = re.compile(r"\s+[A-Za-z]\w*(?: dump)?:?")
"""A word of its own between fields, such as ``RID``: which part of the record comes."""
_FIELD = re.compile(r"\s*([A-Za-z0-9_ /-]{1,60}?):?\.{1,80}(.*)")


def records(
    reader: Reader, title: re.Pattern[str], headings: Container[str] = ()
) -> tuple[Record, ...]:
    """Return the records of a text; lines that are neither title nor field are unknown.

    Args:
        reader: the text.
        title: matches a whole title line; its first group is kept.
        headings: lines above groups of records.
    """
    found: list[Record] = []
    values: dict[str, str] = {}
    for line in reader:
        head, pair = title.fullmatch(line), _FIELD.fullmatch(line)
        if head:
            values = {}
            found.append(Record(printable(head[1]), values))
        elif pair and found:
            values.setdefault(pair[1].strip(), printable(pair[2].strip()))
        elif line.strip() and line not in headings and not (found and _PART.fullmatch(line)):
            reader.unknown(line)
    for one in found:
        if not one.values:
            reader.damaged(f"the record {one.title!r} is empty")
    return tuple(found)
