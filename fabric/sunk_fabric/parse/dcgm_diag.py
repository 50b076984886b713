"""``dcgmi diag -j``: what the vendor's diagnostic says of each GPU, of DCGM 3 and 4."""

from __future__ import annotations

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed

STATUSES = frozenset({"Pass", "Fail", "Warn", "Skip", "Not Run", "NotRun"})


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """What a test complains of.

    Attributes:
        warning: in words.
        error_id: number of the error; None where it is not told.
        error_severity: what to do: 1 watch, 2 isolate, 4 triage, 5 configure, 6 reset.
    """

    warning: str = ""
    error_id: int | None = None
    error_severity: int | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU, or another part.

    Attributes:
        status: ``Pass``, ``Fail``, ``Warn``, ``Skip``.
        entity_group: kind of the part, of DCGM 4: ``GPU``.
        entity_id: its number, of DCGM 4.
        gpu_id: number of the GPU, of DCGM 3.
        gpu_ids: numbers of several, of DCGM 3.
        warnings: complaints; text alone in old releases.
    """

    status: str = ""
    entity_group: str = "GPU"
    entity_id: int | None = None
    gpu_id: str | int | None = None
    gpu_ids: str | None = None
    warnings: tuple[Warned, ...] | str = ()

    @property
    def part(self) -> str:
        """Return what it is about; empty for the host."""
        told = (self.entity_id, self.gpu_id, self.gpu_ids)
        number = next((str(one) for one in told if one is not None), "")
        return f"{self.entity_group}{number}" if number else ""


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """One test.

    Attributes:
        name: such as ``memory``.
        results: for each part.
    """

    name: str = ""
    results: tuple[Result, ...] = ()


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """Tests of one kind.

    Attributes:
        category: ``Deployment``, ``Hardware``, ``Integration``, ``Stress``.
        tests: of it.
    """

    category: str = ""
    tests: tuple[Test, ...] = ()


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        runtime_error: why it did not run; empty when it did.
        test_categories: what it tested.
    """

    runtime_error: str = ""
    test_categories: tuple[Category, ...] = ()


class _Whole(msgspec.Struct, frozen=True):
    now: Diagnostic | None = msgspec.field(name="DCGM Diagnostic", default=None)
    before: Diagnostic | None = msgspec.field(name="DCGM GPU Diagnostic", default=None)


def parse(content: Content) -> Parsed[Diagnostic]:
    """Return the run; one without tests, or with a status that nobody knows, is damage."""
    parsed = json_text.decode(content, _Whole, _Whole())
    run = parsed.value.now or parsed.value.before or Diagnostic()
    wrong = list(parsed.damage)
    found = [
        one.status for each in run.test_categories for test in each.tests for one in test.results
    ]
    if not wrong and run.runtime_error:
        wrong.append("the diagnostic did not run")
    if not wrong and (not found or not set(found) <= STATUSES):
        wrong.append("there is no result in it, or one that nobody knows")
    return Parsed(value=run, lines=parsed.lines, unknown=0, quoted=(), damage=tuple(wrong))
