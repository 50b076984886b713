"""Slurm's state in the words of Pod conditions."""

from __future__ import annotations

import pytest

from sunk.model.kube import Condition
from sunk.model.slurm import NodeName, NodeState, SlurmNode
from sunk.plan.conditions import conditions_of, need_writing


def record(state: NodeState, *flags: str, reason: str = "") -> SlurmNode:
    return SlurmNode(name=NodeName("a-0"), state=state, flags=frozenset(flags), reason=reason)


def said(found: tuple[Condition, ...]) -> list[tuple[str, str]]:
    return [(one.type, one.message) for one in found]


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (NodeState.IDLE, "SlurmNodeStateIdle"),
        (NodeState.ALLOCATED, "SlurmNodeStateAllocated"),
        (NodeState.MIXED, "SlurmNodeStateMixed"),
        (NodeState.DOWN, "SlurmNodeStateDown"),
        (NodeState.UNKNOWN, "SlurmNodeStateUnknown"),
    ],
)
def test_base_state_is_one_condition(state, name):
    assert said(conditions_of(record(state), why_not="")) == [(name, "")]


def test_drain_is_a_condition_of_its_own_with_slurms_reason():
    found = conditions_of(record(NodeState.MIXED, "DRAIN", reason="disk broken"), why_not="")
    assert said(found) == [
        ("SlurmNodeStateDrain", "disk broken"),
        ("SlurmNodeStateMixed", ""),
    ]


def test_down_says_why():
    found = conditions_of(record(NodeState.DOWN, reason="gone"), why_not="")
    assert said(found) == [("SlurmNodeStateDown", "gone")]


def test_flags_that_we_have_no_name_for_are_left_out():
    found = conditions_of(record(NodeState.IDLE, "DYNAMIC_NORM"), why_not="")
    assert [one.type for one in found] == ["SlurmNodeStateIdle"]


def test_state_that_was_not_read_is_unknown_and_not_what_it_was():
    found = conditions_of(record(NodeState.IDLE), why_not="slurmrestd does not answer")
    assert said(found) == [("SlurmNodeStateUnknown", "slurmrestd does not answer")]


def test_pod_without_a_record_says_so():
    (only,) = conditions_of(None, why_not="")
    assert (only.type, only.reason) == ("SlurmNodeStateUnknown", "NotRegistered")


def test_nothing_is_written_when_nothing_changed():
    wanted = conditions_of(record(NodeState.IDLE), why_not="")
    have = {one.type: one for one in wanted}
    other = Condition(type="Ready", status="True", reason="", message="")
    assert not need_writing({**have, "Ready": other}, wanted)
    assert need_writing({}, wanted)


def test_condition_that_holds_no_more_is_a_change():
    wanted = conditions_of(record(NodeState.IDLE), why_not="")
    drained = conditions_of(record(NodeState.IDLE, "DRAIN", reason="x"), why_not="")
    assert need_writing({one.type: one for one in drained}, wanted)
