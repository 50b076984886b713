from __future__ import annotations

import json
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import triage
from sunk_jobs.failures.advice import drain_command, leaf_of
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
    recommended,
    verdict_line,
)
from tests.support.failed_runs import SCENES, FailedRun


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
    assert stopped.reason == "2 restarts did not commit a step after 10"
    never = decide(classify(status), [attempt(0, status, None), attempt(1, status, None)], None)
    assert never.reason == "2 restarts did not commit a step"
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


# --- leaves, and what an operator is told

LEAVES = """\
SwitchName=spine Level=1 Nodes=w-[1-6] Switches=leaf[1-2]
SwitchName=leaf1 Level=0 Nodes=w-[1-3]
SwitchName=leaf2 Level=0 Nodes=w-[4-6]
"""


def hit(number: int, node: str, kind: Class = Class.FABRIC) -> Attempt:
    return Attempt(
        number=number,
        status=1,
        kind=kind,
        action=Action.SUCCESSOR,
        step=number,
        node=node,
        exclude=(node,),
    )


@pytest.mark.parametrize(
    ("history", "exclude"),
    [
        ((), ("w-1",)),
        ((hit(0, "w-3"),), ("w-1", "w-2", "w-3")),
        ((hit(0, "w-4"),), ("w-1", "w-4")),
        ((hit(0, "w-1"),), ("w-1",)),
        ((hit(0, "w-3", Class.GPU),), ("w-1", "w-3")),
        ((hit(0, "w-5"), hit(1, "w-2")), ("w-1", "w-2", "w-3", "w-5")),
    ],
)
def test_leaf_is_kept_off_when_the_fabric_failed_on_two_of_its_nodes(history, exclude):
    decision = decide(Class.FABRIC, history, 9, "w-1", leaf_of(LEAVES, "w-1"))
    assert (decision.action, decision.exclude) == (Action.SUCCESSOR, exclude)
    assert ("several nodes of leaf1" in decision.reason) == (len(exclude) >= 3)


def test_leaf_of_a_node_is_the_smallest_place_that_holds_it():
    assert leaf_of(LEAVES, "w-5") == ("leaf2", ("w-4", "w-5", "w-6"))
    blocks = "BlockName=b1 Nodes=w-[1-2] BlockSize=2\nBlockName=b2 Nodes=w-[3-4]\n"
    assert leaf_of(blocks, "w-2") == ("b1", ("w-1", "w-2"))
    assert leaf_of(LEAVES, "x") == leaf_of("no topology", "w-1") == ("", ())


@pytest.mark.parametrize(
    "topology",
    [
        "SwitchName=only Nodes=w-[1-9]\n",
        "SwitchName=a Nodes=w-[1-100000]\nSwitchName=b Nodes=x-1\n",
    ],
)
def test_leaf_that_leaves_no_nodes_or_is_no_leaf_is_not_kept_off(topology):
    assert leaf_of(topology, "w-1") == ("", ())


def test_leaf_comes_from_the_topology_that_the_attempt_kept(tmp_path, capsys):
    run = FailedRun(tmp_path / "run")
    SCENES["fabric"](run)
    run.commit(20)
    (run.folder / "record" / "topology.1").write_text(
        "SwitchName=s Nodes=w-[0-3]\nSwitchName=t Nodes=x\n"
    )
    line = entry(0, 1, Decision(Class.FABRIC, Action.SUCCESSOR, "", ("w-3",)), 1) | {"node": "w-3"}
    (run.folder / "record" / "ledger.jsonl").write_text(json.dumps(line) + "\n")
    for file in (run.folder / "logs").iterdir():
        file.rename(file.with_name(re.sub(r"\.0\.(log|json)", r".1.\1", file.name)))
    triage.main(["--run", str(run.folder), "--attempt", "1", "--rc", "1"])
    assert capsys.readouterr().out == "exclude=w-0,w-1,w-2,w-3\n"


def test_node_with_a_broken_gpu_is_recommended_for_a_drain(tmp_path, capsys):
    run = FailedRun(tmp_path / "run")
    SCENES["gpu"](run)
    triage.main(["--run", str(run.folder), "--attempt", "0", "--rc", "1"])
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "operator" in line)
    command = said.partition("run: ")[2]
    assert command == (
        "scontrol update NodeName=w-1 State=DRAIN "
        "Reason='sunk: NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.'"
    )


@pytest.mark.parametrize(
    ("kind", "history", "drained"),
    [
        (Class.GPU, (), True),
        (Class.FABRIC, (), False),
        (Class.HANG, (), False),
        (Class.HANG, (hit(0, "w-1", Class.HANG),), True),
        (Class.HANG, (hit(0, "w-2", Class.HANG),), False),
        (Class.OTHER, (hit(0, "w-1", Class.OTHER),), False),
    ],
)
def test_only_what_is_the_nodes_own_is_recommended_for_a_drain(kind, history, drained):
    assert bool(recommended(kind, "w-1", "x", history)) is drained


@given(words=st.text(max_size=300))
def test_words_of_a_failure_stay_one_argument_of_one_command(words):
    command = drain_command("w-1", words)
    assert "\n" not in command
    *start, reason = shlex.split(command)
    assert start == ["scontrol", "update", "NodeName=w-1", "State=DRAIN"]
    assert reason.startswith("Reason=sunk:")
    assert len(command) < 180
