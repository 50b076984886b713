from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.plan.goodput import Bucket, Span, account, daly_seconds, expected_wall


def steps(first: int, last: int, begin: int, length: int = 1000) -> tuple[tuple[int, int], ...]:
    return tuple((one, begin + (one - first + 1) * length) for one in range(first, last + 1))


def test_time_of_two_attempts_is_told_apart():
    """The second goes on from step 6 of 10; the first saved for 5 s after step 6."""
    before = [*steps(1, 6, 20_000), *steps(7, 10, 31_000)]
    first = Span(start_ms=0, end_ms=40_000, steps=tuple(before))
    second = Span(start_ms=100_000, end_ms=120_000, steps=steps(7, 14, 110_000))
    ledger = account([first, second])
    assert ledger.milliseconds == {
        Bucket.USEFUL: 6_000 + 8_000,
        Bucket.LOST: 4_000,
        Bucket.STALLED: 5_000,
        Bucket.START: 20_000 + 10_000,
        Bucket.TAIL: 5_000 + 2_000,
    }
    assert (ledger.between_ms, ledger.step_ms, ledger.stall_ms) == (60_000, 1000, 5000)


def test_attempt_without_a_step_is_all_start():
    assert account([Span(start_ms=5, end_ms=25)]).milliseconds[Bucket.START] == 20


def test_run_without_an_attempt_has_no_time():
    assert account([]).allocated_ms == 0
    assert set(account([]).shares.values()) == {0.0}


@st.composite
def runs(draw):
    spans, now = [], 0
    for _ in range(draw(st.integers(1, 5))):
        start = now + draw(st.integers(0, 10_000))
        end = start + draw(st.integers(0, 100_000))
        times = draw(st.lists(st.integers(start - 1000, end + 1000), max_size=20))
        first = draw(st.integers(1, 30))
        spans.append(Span(start_ms=start, end_ms=end, steps=tuple(enumerate(times, first))))
        now = end
    return spans


@given(runs())
def test_every_millisecond_is_in_one_bucket_and_shares_make_up_one(spans):
    ledger = account(spans)
    assert min(ledger.milliseconds.values()) >= 0
    assert ledger.allocated_ms == sum(one.end_ms - one.start_ms for one in spans)
    whole = sum(Decimal(str(one)) for one in ledger.shares.values())
    assert whole == (1 if ledger.allocated_ms else 0)


@pytest.mark.parametrize(
    ("save", "mtbf", "restart", "interval"),
    [
        (40, 6 * 3600, 300, 1288),
        (5, 6 * 3600, 300, 461),
        (120, 3 * 3600, 600, 1531),
        (10, 6000, 600, 340),
        (5, 12 * 3600, 300, 654),
        (60, 98 * 3600, 600, 6467),
    ],
)
def test_interval_is_where_brute_force_finds_the_least_time(save, mtbf, restart, interval):
    assert round(daly_seconds(save, mtbf)) == interval
    best = min(range(1, 20_000), key=lambda one: expected_wall(one, save, mtbf, restart))
    assert abs(best - interval) <= 1


@given(save=st.floats(0.1, 600), mtbf=st.floats(1800, 1e6))
def test_no_other_interval_is_better_by_a_thousandth(save, mtbf):
    chosen = expected_wall(daly_seconds(save, mtbf), save, mtbf)
    young = (2 * save * mtbf) ** 0.5
    tried = (expected_wall(young * factor / 50, save, mtbf) for factor in range(10, 150))
    assert chosen <= min(tried) * 1.001


def test_save_that_takes_longer_than_the_job_lives_has_the_mtbf_as_interval():
    assert daly_seconds(100, 40) == 40
