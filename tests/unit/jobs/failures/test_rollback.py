"""Going back after a loss that is not finite: which checkpoint, which data, how often."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk_jobs import triage
from sunk_jobs.checkpoint import CheckpointError
from sunk_jobs.checkpoint.manifest import Kind, kind_of
from sunk_jobs.failures import rollback
from sunk_jobs.failures.rollback import Rollback, data_step, plan, rollbacks
from tests.support.checkpoint_runs import filled, is_step, loaded, on_ranks, opened


def test_the_newest_checkpoint_is_distrusted_and_the_data_since_the_one_before_is_skipped():
    assert plan(1, [30, 10, 20], 34) == Rollback(attempt=1, step=20, skipped_steps=14)


@pytest.mark.parametrize("committed", [(), (10,), (10, 40)])
def test_without_an_earlier_checkpoint_there_is_no_way_back(committed):
    assert plan(1, committed, 34) is None


@given(
    ways=st.lists(
        st.builds(
            Rollback,
            attempt=st.integers(1, 5),
            step=st.integers(0, 50),
            skipped_steps=st.integers(1, 50),
        ),
        max_size=3,
    ),
    step=st.integers(1, 200),
)
def test_no_data_is_taken_twice_and_none_of_it_is_what_was_skipped(ways, step):
    assert data_step(step + 1, ways) > data_step(step, ways) >= step
    if len(ways) == 1:
        (way,) = ways
        skipped = range(way.step + 1, way.step + way.skipped_steps + 1)
        assert data_step(step, ways) not in skipped


def test_an_attempt_keeps_to_its_way_back_and_to_earlier_ones(tmp_path):
    first = Rollback(attempt=1, step=10, skipped_steps=13)
    second = Rollback(attempt=3, step=20, skipped_steps=4)
    for one in (second, first):
        rollback.write(tmp_path, one)
    (tmp_path / "control" / "rollback.2").write_text("{torn")
    assert [rollbacks(tmp_path, attempt) for attempt in range(4)] == [
        (),
        (first,),
        (first,),
        (first, second),
    ]


# --- triage


def diverged(run: Path, attempt: int, step: int, *committed: int) -> str:
    """Let an attempt commit steps and end with a loss that is not finite; return the verdict."""
    for one in committed:
        folder = run / "ckpt" / f"step_{one:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "MANIFEST.json").touch()
    rollback.note_not_finite(run, attempt, step)
    return ended(run, attempt)


def ended(run: Path, attempt: int, status: int = 1) -> str:
    triage.main(["--run", str(run), "--attempt", str(attempt), "--rc", str(status)])
    return json.loads((run / "record" / "ledger.jsonl").read_text().splitlines()[-1])["action"]


def test_run_that_can_go_back_is_requeued_and_told_where_to(tmp_path):
    assert diverged(tmp_path, 0, 23, 10, 20) == "requeue"
    assert rollbacks(tmp_path, 1) == (Rollback(attempt=1, step=10, skipped_steps=13),)


def test_run_goes_back_once(tmp_path):
    assert diverged(tmp_path, 0, 23, 10, 20) == "requeue"
    assert diverged(tmp_path, 1, 47, 30, 40) == "stop"
    assert len(rollbacks(tmp_path, 9)) == 1


def test_run_that_went_back_and_did_not_come_farther_in_two_restarts_ends(tmp_path):
    assert diverged(tmp_path, 0, 23, 10, 20) == "requeue"
    assert [ended(tmp_path, one, 75) for one in (1, 2)] == ["requeue", "stop"]


def test_run_with_one_checkpoint_ends(tmp_path):
    assert diverged(tmp_path, 0, 13, 10) == "stop"
    assert rollbacks(tmp_path, 1) == ()


def test_words_in_a_log_alone_are_the_end(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "0.0.log").write_text("train: loss of step 23 is not finite\n")
    assert ended(tmp_path, 0) == "stop"
    assert rollbacks(tmp_path, 1) == ()


# --- checkpoints


def test_what_was_gone_back_from_is_not_loaded_and_can_be_saved_again(tmp_path):
    folder = tmp_path / "ckpt"
    filled(folder)
    gone = on_ranks(2, lambda group: back(folder, group))
    assert gone == [(20,), (20,)]
    assert loaded(folder) == is_step(10)
    aside = [one.name for one in folder.iterdir() if kind_of(one.name) is Kind.DAMAGED]
    assert [one.startswith(".damaged-step_00000020-") for one in aside] == [True]
    with opened(folder, attempt=1) as store:
        store.save(20, {"state": b"another"})
    with opened(folder, attempt=2) as store:
        assert store.roll_back(10, 1) == ()
        assert store.load_latest().step == 20


def back(folder: Path, group):
    with opened(folder, group, attempt=1) as store:
        return store.roll_back(10, 1)


def test_checkpoint_that_cannot_be_taken_away_is_an_error_on_every_rank(tmp_path, monkeypatch):
    folder = tmp_path / "ckpt"
    filled(folder)
    monkeypatch.setattr("sunk_jobs.checkpoint.files.Files.rename", refuse)
    for said in on_ranks(2, lambda group: refused(folder, group)):
        assert said.startswith(f"go back to step 10 in {folder}: ")


def refuse(*_paths):
    raise PermissionError(13, "Permission denied")


def refused(folder: Path, group) -> str:
    try:
        back(folder, group)
    except CheckpointError as exc:
        return str(exc)
    return "not refused"
