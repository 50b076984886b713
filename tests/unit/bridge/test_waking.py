"""What wakes the loop, and how long it sleeps."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from sunk.bridge.waking import THE_TIME_CAME, Alarm, Woken, is_news, sleep_seconds
from sunk.clients.kube.protocol import WatchEvent
from sunk.model.kube import NODE, NODE_SET, POD, SLURM_CLUSTER


def test_changes_before_the_wait_end_it_at_once_and_are_told_once_with_the_newest_version():
    alarm = Alarm()
    alarm.changed(NODE, "7")
    alarm.changed(NODE, "9")
    alarm.changed(POD, "8")
    assert alarm.wait(60) == Woken(by=frozenset({NODE, POD}), versions={NODE: "9", POD: "8"})
    assert alarm.wait(0) == Woken(by=frozenset(), versions={NODE: "9", POD: "8"})


def test_change_that_no_watch_told_leaves_no_version_until_one_tells():
    alarm = Alarm()
    alarm.changed(POD, "8")
    alarm.changed(POD, None)
    assert alarm.wait(0) == Woken(by=frozenset({POD}), versions={})
    alarm.changed(POD, "9")
    assert alarm.wait(0) == Woken(by=frozenset({POD}), versions={POD: "9"})


def test_only_nodes_and_pods_make_a_round_about_workers_alone():
    def woken(*kinds):
        return Woken(by=frozenset(kinds)).by_workers

    assert woken(NODE)
    assert woken(NODE, POD)
    assert not woken(NODE, NODE_SET)
    assert not THE_TIME_CAME.by_workers


def test_resource_is_news_when_it_appears_changes_what_is_wanted_or_goes():
    seen = {}

    def news(kind="MODIFIED", uid="u", **meta):
        thing = {"metadata": {"name": "a", "uid": uid, "generation": 1, **meta}}
        return is_news(NODE_SET, WatchEvent(type=kind, object=thing), seen)

    assert news("ADDED")
    assert not news(resourceVersion="2")  # the status, say
    assert news(generation=2)
    assert not news(generation=2)
    assert news(generation=2, deletionTimestamp="2026-01-01T00:00:00Z")
    assert news("DELETED")
    assert news("ADDED", uid="v")


def test_bookmark_is_no_news_and_needs_no_name():
    mark = {"kind": "NodeSet", "metadata": {"resourceVersion": "9"}}
    for kind in (NODE, POD, NODE_SET, SLURM_CLUSTER):
        assert not is_news(kind, WatchEvent(type="BOOKMARK", object=mark), {})


def test_every_change_of_a_worker_is_news():
    pod = {"metadata": {"name": "w-0", "resourceVersion": "9"}}
    seen = {}
    assert is_news(POD, WatchEvent(type="MODIFIED", object=pod), seen)
    assert is_news(POD, WatchEvent(type="MODIFIED", object=pod), seen)


@given(st.integers(0, 999_999))
def test_sleep_ends_just_after_the_turn_of_a_second_and_within_little_more_than_one(microsecond):
    start = dt.datetime(2026, 1, 1, 12, 0, 0, microsecond, tzinfo=dt.UTC)
    slept = sleep_seconds(lambda: start)
    assert 0.1 <= slept <= 1.1
    end = start + dt.timedelta(seconds=slept)
    assert abs(end.microsecond - 50_000) <= 1
