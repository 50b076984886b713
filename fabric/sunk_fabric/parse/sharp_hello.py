"""sharp_hello: one host asks for a SHARP job through one adapter, and runs a barrier."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sunk_fabric.parse.sharp_lines import sharp_line
from sunk_fabric.parse.text import Content, Parsed, Reader, printable


@dataclass(frozen=True, slots=True)
class Hello:
    """One run.

    Attributes:
        passed: whether the tool says so at its end.
        trees: how many trees the job got, at a verbosity that tells.
        errors: what it says went wrong, safe to show.
    """

    passed: bool
    trees: int
    errors: tuple[str, ...]


_PASSED, _FAILED = "Test Passed.", re.compile(r"Test Failed.*", re.IGNORECASE)


def parse(content: Content) -> Parsed[Hello]:
    """Return the outcome; a text that tells none is damage."""
    reader = Reader(content)
    passed, failed, trees = False, False, 0
    errors: list[str] = []
    for line in reader:
        said = sharp_line(line)
        if said:
            trees += bool(said.tree)
            if said.is_error:
                errors.append(printable(said.text))
        elif line.strip() == _PASSED:
            passed = True
        elif _FAILED.fullmatch(line.strip()):
            failed = True
        elif line.strip():
            reader.unknown(line)
    if reader.number and not passed and not failed and not errors:
        reader.damaged("the tool says neither that it passed nor what failed")
    return reader.outcome(Hello(passed=passed and not failed, trees=trees, errors=tuple(errors)))
