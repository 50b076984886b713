"""Nodes that health checks drain: those that come back, and those that go again and again."""

from __future__ import annotations

import pytest

from tests.support.fabric_checks import FAIL, PASS, UNKNOWN, WARN
from tests.support.fabric_texts import text

RECORDED = text("slurm_events", "three-nodes")
NODE = "node/w-0"
HOUR = 3600


def events(*drains: tuple[float, float | None, str]) -> dict[str, bytes]:
    """What sacctmgr says: beginnings and ends in hours, and reasons."""
    lines = []
    for start, end, why in drains:
        until = "Unknown" if end is None else int(end * HOUR)
        lines.append(f"w-0|{int(start * HOUR)}|{until}|DRAIN|{why}|root(0)")
    return {"slurm_events.txt": "".join(f"{one}\n" for one in lines).encode()}


@pytest.mark.parametrize(
    ("drains", "answer"),
    [
        ([(1, 2, "fan")], (PASS, "drained once, came back once")),
        ([(1, 2, "fan"), (3, None, "fan")], (PASS, "drained twice, came back once")),
        ([(1, None, "fan")], (UNKNOWN, "drained once, came back never: fan")),
        (
            [(1, 1.1, "a"), (1.2, 1.3, "b"), (1.4, 1.5, "c")],
            (PASS, "drained 3 times, came back 3 times"),
        ),
        (
            [(1, 1.1, "fan"), (1.5, 1.6, "fan"), (2, 2.1, "fan")],
            (FAIL, "drained 3 times within an hour: fan"),
        ),
        (
            [(1, 1.1, "fan"), (1.5, 1.6, "fan"), (2.1, 2.2, "fan")],
            (WARN, "drained 3 times within a day: fan"),
        ),
        (
            [(1, 2, "fan"), (30, 31, "fan"), (60, 61, "fan")],
            (PASS, "drained 3 times, came back 3 times"),
        ),
        (
            [(1, 1.1, ""), (1.2, 1.3, ""), (1.4, None, "")],
            (FAIL, "drained 3 times within an hour: no reason"),
        ),
    ],
)
def test_node_that_comes_back_and_stays_passes(drains, answer, check):
    assert check("sched.drain_loop", events(*drains)) == [(answer[0], NODE, answer[1])]


def test_recorded_events_are_of_nodes_and_reasons_may_have_bars(check):
    assert check("sched.drain_loop", {"slurm_events.txt": RECORDED}) == [
        (PASS, "node/w1", "drained once, came back once"),
        (FAIL, "node/w2", "drained 3 times within an hour: link | down: 2 of 8"),
        (UNKNOWN, "node/w3", "drained once, came back never: fan broken"),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the output is empty"),
        (b"|1|Unknown||Cluster Registered TRES|\n", "no node was drained and came back in a week"),
        (b"w-0|1|2|DOWN*|Not responding|slurm(64030)\n", "no node was drained and came back"),
        (b"w-0|2026-11-28T23:48:59|Unknown|DRAIN|x|root(0)\n", "not understood"),
        (b"w-0|1|2|DRAIN\n", "not understood"),
    ],
)
def test_what_says_nothing_of_drains_is_unknown(content, words, check):
    ((verdict, _, found),) = check("sched.drain_loop", {"slurm_events.txt": content})
    assert (verdict, words in found) == (UNKNOWN, True), found
