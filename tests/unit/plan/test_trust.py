"""When a list is believed."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from sunk.plan.trust import Belief, Limits, Reading, learn, trust

LIMITS = Limits(oldest_seconds=60, agree_seconds=5, lost_share=0.2, lost_least=2)
ALL = frozenset(f"n{number}" for number in range(40))


def after(*readings: Reading) -> Belief:
    return reduce(lambda belief, one: learn(belief, one, LIMITS), readings, Belief())


def full(at: float, **changes) -> Reading:
    return Reading(**{"at": at, "names": ALL, "run": "a", "server_time": 100, **changes})


SETTLED = (full(0), full(10))


def why(*readings: Reading, now: float | None = None) -> str:
    return trust(after(*readings), readings[-1].at if now is None else now, LIMITS).why_not


def test_nothing_is_believed_before_it_was_read():
    assert trust(Belief(), 0, LIMITS).why_not == "it was not read yet"


def test_first_list_is_believed_once_a_second_agrees():
    assert why(full(0)) == "it was read once only"
    assert why(full(0), full(4)) == "it was read once only"
    assert why(full(0), full(5)) == ""


def test_empty_list_of_a_sudden_is_not_believed():
    said = "the list is empty all of a sudden, and had "
    assert why(*SETTLED, full(20, names=frozenset())) == f"{said}40"
    few = {"names": frozenset({"n1"})}
    assert why(full(0, **few), full(10, **few), full(20, names=frozenset())) == f"{said}1"


def test_short_list_is_believed_when_it_says_the_same_some_seconds_later():
    short = frozenset(sorted(ALL)[:10])
    assert why(*SETTLED, full(20, names=short), full(24, names=short))
    assert not why(*SETTLED, full(20, names=short), full(25, names=short))


def test_short_lists_that_disagree_are_not_believed():
    first, second = frozenset(sorted(ALL)[:10]), frozenset(sorted(ALL)[20:30])
    assert why(*SETTLED, full(20, names=first), full(30, names=second), full(40, names=first))


def test_full_list_ends_the_doubt_at_once():
    assert not why(*SETTLED, full(20, names=frozenset()), full(21))


def test_some_names_may_go_without_a_doubt():
    assert not why(*SETTLED, full(20, names=frozenset(sorted(ALL)[:33])))


def test_restarted_server_must_say_the_same_twice():
    again = {"run": "b", "server_time": 101}
    assert why(*SETTLED, full(20, **again)) == "the server was restarted"
    assert not why(*SETTLED, full(20, **again), full(25, **again))


def test_server_of_which_nobody_knows_whether_it_was_restarted_is_believed():
    assert not why(full(0, run=""), full(10), full(20, run=""), full(30))


def test_time_that_goes_back_must_be_confirmed_too():
    said = "the server's time went back"
    assert why(*SETTLED, full(20, server_time=50)) == said
    assert why(*SETTLED, full(20, server_time=50), full(25, server_time=40)) == said
    assert not why(*SETTLED, full(20, server_time=50), full(25, server_time=51))


def test_failure_is_said_and_forgotten_with_the_next_answer():
    failed = Reading(at=20, failure="slurmrestd does not answer")
    assert why(*SETTLED, failed) == "slurmrestd does not answer"
    assert not why(*SETTLED, failed, full(21))


def test_old_reading_is_not_believed():
    assert not why(*SETTLED, now=70)
    assert why(*SETTLED, now=71) == "the last reading is 61 s old"


@given(
    st.lists(
        st.builds(
            Reading,
            at=st.just(0.0),
            names=st.frozensets(st.sampled_from(sorted(ALL))),
            run=st.sampled_from(["", "a", "b"]),
            server_time=st.sampled_from([None, 1, 2]),
        ),
        max_size=6,
    ),
    st.floats(0.1, 20),
)
def test_what_is_trusted_is_the_last_reading(readings, gap):
    belief = Belief()
    for number, one in enumerate(readings):
        reading = replace(one, at=number * gap)
        belief = learn(belief, reading, LIMITS)
        if trust(belief, reading.at, LIMITS).ok:
            assert belief.believed == reading
