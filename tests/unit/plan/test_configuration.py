"""What slurmctld's Pod says of configurations, read back."""

from __future__ import annotations

import pytest

from sunk.plan.configuration import ConfReading, ConfState, read_log

A, B = "aaaa1111", "bbbb2222"
IN_FORCE = ConfReading(state=ConfState.IN_FORCE)
OFFERED = ConfReading(state=ConfState.OFFERED)
STAMP = "2026-01-01T00:00:00Z sunk: configuration"


def in_force(digest: str) -> str:
    return f"{STAMP} {digest} is in force"


def refused(digest: str) -> str:
    return f"{STAMP} {digest} is refused: cannot find sched plugin"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], OFFERED),
        (["slurmctld: Running as primary controller"], OFFERED),
        ([in_force(A)], IN_FORCE),
        ([in_force(B)], OFFERED),
        ([in_force(A), in_force(B)], OFFERED),
        ([in_force(A), in_force(B), in_force(A)], IN_FORCE),
        (
            [in_force(B), refused(A)],
            ConfReading(state=ConfState.REFUSED, why_not="cannot find sched plugin"),
        ),
        (
            [refused(A), in_force(B)],
            ConfReading(state=ConfState.REFUSED, why_not="cannot find sched plugin"),
        ),
        ([refused(A), in_force(A)], IN_FORCE),
        ([in_force(A), refused(B)], IN_FORCE),
    ],
)
def test_last_word_on_a_configuration_counts(lines, expected):
    assert read_log("\n".join(lines), A) == expected
