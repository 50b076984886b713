from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import triage
from sunk_jobs.triage import (
    BUDGETS,
    RESTARTS_WITHOUT_PROGRESS,
    Action,
    Attempt,
    Class,
    Decision,
    classify,
    committed_step,
    decide,
    entry,
    read_ledger,
    verdict_line,
)


def attempt(number: int, status: int, step: int | None, action=Action.REQUEUE) -> Attempt:
    return Attempt(number=number, status=status, kind=classify(status), action=action, step=step)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (0, "stop"),
        (75, "requeue"),
        (76, "exclude="),
        (93, "stop"),
        (1, "requeue"),
        (137, "requeue"),
    ],
)
def test_first_attempt_is_followed_by_what_its_status_means(status, line):
    decision = decide(classify(status), (), 10)
    assert verdict_line(entry(0, status, decision, 10)) == line


def test_planned_saves_go_on_for_ever_while_steps_are_committed():
    history = [attempt(number, 75, number * 10) for number in range(50)]
    assert decide(Class.SAVED, history, 500).action is Action.REQUEUE


@pytest.mark.parametrize("status", [75, 76, 1])
def test_two_restarts_without_a_newer_step_are_the_end_whatever_the_class(status):
    history = [attempt(0, status, 10), attempt(1, status, 10)]
    stopped = decide(classify(status), history, 10)
    assert stopped.action is Action.STOP
    assert stopped.reason == "2 restarts committed no step after 10"
    assert decide(classify(status), history[:1], 10).action is not Action.STOP
    assert decide(classify(status), history, 11).action is not Action.STOP


def test_progress_before_is_no_excuse_for_none_since():
    history = [attempt(0, 75, 10), attempt(1, 75, 20), attempt(2, 75, 20)]
    assert decide(Class.SAVED, history, 20).action is Action.STOP


def test_unclassified_failures_have_a_budget_even_while_steps_are_committed():
    history = [attempt(number, 1, number) for number in range(3)]
    assert decide(Class.OTHER, history[:2], 5).action is Action.REQUEUE
    assert decide(Class.OTHER, history, 5).action is Action.STOP


def test_successor_names_the_nodes_that_it_keeps_off():
    decision = Decision(Class.OTHER, Action.SUCCESSOR, "x", ("w-1", "w-3"))
    assert verdict_line(entry(0, 1, decision, None)) == "exclude=w-1,w-3"


@given(
    statuses=st.lists(st.sampled_from([0, 75, 76, 93, 1, 137, 143]), max_size=60),
    steps=st.lists(st.one_of(st.none(), st.integers(0, 50)), min_size=60, max_size=60),
)
def test_no_run_goes_on_without_end(statuses, steps):
    """Whatever happens: between two newer steps there are at most as many restarts as allowed."""
    history: list[Attempt] = []
    best, idle = -1, 0
    for number, status in enumerate(statuses):
        best_now = max((-1 if one is None else one) for one in steps[: number + 1])
        idle = 0 if best_now > best else idle + 1
        best = best_now
        step = None if best < 0 else best
        decision = decide(classify(status), history, step)
        if decision.action is Action.STOP:
            return
        assert idle <= RESTARTS_WITHOUT_PROGRESS
        assert BUDGETS[decision.kind] != 0
        history.append(attempt(number, status, step, decision.action))


def test_last_step_is_that_of_complete_checkpoints():
    assert committed_step(["step_00000010", "step_9", "step_x", "latest", "step_11.tmp-1"]) == 10
    assert committed_step([]) is None


@given(text=st.text(max_size=200))
def test_ledger_of_other_writers_and_torn_lines_is_passed_over(text):
    line = json.dumps({"attempt": 0, "rc": 75, "class": "saved", "action": "requeue", "step": 3})
    assert read_ledger(f"{line}\n") == (attempt(0, 75, 3),)
    assert attempt(0, 75, 3) in read_ledger(f"{text}\n{line}\n{line[:20]}")


def test_program_prints_the_line_and_notes_the_attempt(tmp_path, capsys):
    complete = tmp_path / "ckpt" / "step_00000020"
    complete.mkdir(parents=True)
    (complete / "MANIFEST.json").touch()
    (tmp_path / "ckpt" / "step_00000030").mkdir()
    for number in range(3):
        words = ["--run", str(tmp_path), "--attempt", str(number), "--rc", "75"]
        assert triage.main(words) == 0
    assert capsys.readouterr().out == "requeue\nrequeue\nstop\n"
    noted = read_ledger((tmp_path / "record" / "ledger.jsonl").read_text())
    assert [(one.number, one.step, one.action) for one in noted] == [
        (0, 20, Action.REQUEUE),
        (1, 20, Action.REQUEUE),
        (2, 20, Action.STOP),
    ]
