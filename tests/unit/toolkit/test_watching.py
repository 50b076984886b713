"""Stragglers and hangs, from the times at which ranks ended their steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.cli import app, exits
from sunk.toolkit.watching import Beat, Pace, Place, judge
from sunk_jobs.placement.rank_map import NodeRanks, RankMap, dump_map

PLACES = {rank: Place(node=f"gpu-{rank // 2}", leaf=f"leaf{rank // 4}") for rank in range(8)}


def steady(steps: int, *, skew: float = 0.0, late_from: int = 10**9, late: float = 0.0):
    return [
        Beat(step, 1000.0 + step + skew + (late if step >= late_from else 0.0))
        for step in range(1, steps + 1)
    ]


def test_ranks_that_go_on_together_are_fine_however_far_apart_their_clocks_are():
    beats = {rank: steady(40, skew=37.0 * rank) for rank in range(8)}
    made = judge(beats, PLACES, 1040.0 + 37 * 7)
    assert (made.odd, made.said) == ((), "step 40, 1 s a step")


def test_rank_that_becomes_late_is_named_with_its_node_and_leaf():
    beats = {rank: steady(60) for rank in range(8)}
    beats[5] = steady(60, skew=-12.0, late_from=45, late=0.4)
    made = judge(beats, PLACES, 1061.0)
    (one,) = made.odd
    assert (one.rank, one.pace, one.late_seconds) == (5, Pace.STRAGGLER, 0.4)
    assert made.said == "step 60, 1 s a step; slower than at first: rank 5 on gpu-2, leaf leaf1"


def test_rank_that_all_others_wait_for_is_named_when_the_run_stands_still():
    beats = {rank: steady(30) for rank in range(8)}
    beats[3] = steady(29)
    made = judge(beats, PLACES, 1030.0 + 400)
    assert made.hangs
    assert [one.rank for one in made.odd] == [3]
    assert made.said == "hangs at step 30 for 400 s; waited for: rank 3 on gpu-1, leaf leaf0"


def test_run_that_stops_as_one_names_nobody():
    made = judge({rank: steady(30) for rank in range(8)}, PLACES, 1030.0 + 301)
    assert (made.hangs, made.odd) == (True, ())
    assert made.said == "hangs at step 30 for 301 s; all ranks stopped together"


def test_long_steps_are_no_hang_before_ten_of_them():
    beats = {0: [Beat(step, 100.0 * step) for step in range(1, 12)]}
    assert not judge(beats, {}, 1100.0 + 999).hangs
    assert judge(beats, {}, 1100.0 + 1001).hangs


def test_rank_that_was_never_heard_of_is_silent_and_not_fine():
    beats = {rank: steady(5) for rank in range(7)}
    made = judge(beats, PLACES, 1006.0)
    assert [(one.rank, one.pace) for one in made.odd] == [(7, Pace.SILENT)]
    assert made.said.endswith("never heard of: rank 7 on gpu-3, leaf leaf1")


def test_before_the_first_step_nothing_hangs():
    made = judge({}, PLACES, 5000.0)
    assert (made.hangs, made.said) == (False, "no rank has done a step yet (8 expected)")


_BEATS = st.dictionaries(
    st.integers(0, 6),
    st.lists(st.builds(Beat, st.integers(0, 50), st.floats(0, 1e9, allow_nan=False)), max_size=40),
)


@given(beats=_BEATS, now=st.floats(0, 2e9, allow_nan=False))
def test_whatever_the_heartbeats_say_each_rank_is_judged_once(beats, now):
    made = judge(beats, PLACES, now)
    assert [one.rank for one in made.ranks] == sorted({*beats, *PLACES})


def run_folder(tmp_path: Path, lines: dict[int, list[str]]) -> Path:
    for folder in ("logs", "record"):
        (tmp_path / folder).mkdir()
    for rank, mine in lines.items():
        (tmp_path / "logs" / f"heartbeat.{rank}.0.jsonl").write_text("".join(mine))
    planned = RankMap((NodeRanks("w-1", 0, 1), NodeRanks("w-0", 1, 1)))
    (tmp_path / "record" / "map.0").write_text(dump_map(planned))
    (tmp_path / "record" / "probe.0").write_text(
        "0 0 w-1 10.0.0.1 spine.leafA.w-1\n1 1 w-0 10.0.0.2 spine.leafB.w-0\n"
    )
    return tmp_path


def line(rank: int, step: int, time: float) -> str:
    return json.dumps({"rank": rank, "step": step, "time": time, "loss": 1.0}) + "\n"


def test_command_names_the_rank_that_is_waited_for(tmp_path, capsys):
    torn = '{"rank": 1, "st'
    folder = run_folder(tmp_path, {0: [line(0, 1, 10), line(0, 2, 11)], 1: [line(1, 1, 10), torn]})
    words = ["job", "watch", str(folder), "--once", "--output", "json"]
    assert app.run(words) == exits.FAILED_CHECK
    said = json.loads(capsys.readouterr().out)
    found = {
        one["rank"]: (one["node"], one["leaf"], one["step"], one["pace"]) for one in said["ranks"]
    }
    assert found == {
        0: ("w-1", "leafA", 2, "waits"),
        1: ("w-0", "leafB", 1, "waited for"),
    }


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_folder_without_heartbeats_is_refused(tmp_path, monkeypatch, capsys, place):
    monkeypatch.chdir(tmp_path)
    assert app.run(["job", "watch", place, "--once"]) == exits.USAGE
    assert capsys.readouterr().err.startswith("error: watch ")
