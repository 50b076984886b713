"""What a contender does about the lease."""

from __future__ import annotations

from sunk.plan.lease import Move, Record, Seen, Timing, decide, look

TIMING = Timing()
THEIRS = Record(version="1", holder="b", lease_seconds=15, renewed="09:00")


def seen(record: Record | None, at: float = 0.0) -> Seen:
    return look(None, record, at)


def move(seen: Seen, now: float = 0.0) -> Move:
    return decide("a", seen, now, TIMING)


def test_lease_that_is_not_there_is_made():
    assert move(seen(None)) is Move.CREATE


def test_own_lease_is_renewed_however_old_it_looks():
    assert move(seen(Record(version="1", holder="a", renewed="1999")), 1e9) is Move.RENEW


def test_lease_that_was_given_back_is_taken_at_once():
    assert move(seen(Record(version="1"))) is Move.TAKE


def test_lease_of_another_is_taken_only_once_it_has_not_changed_for_its_time():
    assert move(seen(THEIRS, at=100), 115) is Move.WAIT
    assert move(seen(THEIRS, at=100), 115.1) is Move.TAKE


def test_longer_time_in_the_record_is_honoured_and_a_shorter_one_is_not():
    longer = Record(version="1", holder="b", lease_seconds=60)
    assert move(seen(longer), 60) is Move.WAIT
    assert move(seen(longer), 61) is Move.TAKE
    assert move(seen(Record(version="1", holder="b", lease_seconds=1)), 15) is Move.WAIT


def test_any_change_of_the_record_starts_its_time_anew():
    before = seen(THEIRS, at=0)
    same = look(before, THEIRS, 14)
    assert same.changed_at == 0
    renewed = Record(version="2", holder="b", lease_seconds=15, renewed="09:00")
    assert look(same, renewed, 14).changed_at == 14


def test_lease_that_somebody_deleted_is_made_anew_only_once_its_holder_has_noticed():
    gone = look(seen(THEIRS), None, 100)
    assert move(gone, 115) is Move.WAIT
    assert move(gone, 115.1) is Move.CREATE
    assert decide("b", look(seen(THEIRS, at=90), None, 100), 100, TIMING) is Move.CREATE


def test_lease_of_ours_that_others_may_have_had_since_is_waited_for_when_it_is_gone():
    gone = look(seen(THEIRS, at=89), None, 100)
    assert decide("b", gone, 115, TIMING) is Move.WAIT
    assert decide("b", gone, 115.1, TIMING) is Move.CREATE


def test_lease_that_was_free_when_seen_last_may_have_been_taken_before_it_went():
    free = Record(version="2", lease_seconds=1)
    assert move(look(seen(free), None, 100), 100) is Move.WAIT
    assert move(look(seen(free), None, 100), 115.1) is Move.CREATE


def test_lease_that_never_was_is_made_at_once():
    assert move(look(None, None, 100), 100) is Move.CREATE
