"""Saving and loading: damage, double starts, refusals, retention."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path

import pytest

from sunk_jobs.checkpoint import (
    About,
    Damage,
    Files,
    FormatError,
    Incompatible,
    Locked,
    NothingIntact,
    Options,
    Retention,
    SaveFailed,
    gone_from_here,
)
from sunk_jobs.checkpoint.reading import intact_manifest
from tests.support.checkpoint_runs import filled, is_step, loaded, on_ranks, opened

# --- what is loaded


def test_what_was_saved_is_loaded_with_what_it_is_about(tmp_path):
    about = About(tokens=5, mesh={"dp": 1}, versions={"torch": "2"}, more={"loss": 1.5})
    with opened(tmp_path / "ckpt") as store:
        assert store.load_latest() is None
        manifest = store.save(3, {"a": b"1", "b": lambda file: file.write(b"2")}, about)
        found = store.load_latest()
    assert found.manifest == manifest
    assert (found.step, found.manifest.about, found.read("a"), found.read("b")) == (
        3,
        about,
        b"1",
        b"2",
    )
    assert sorted(one.name for one in (tmp_path / "ckpt").iterdir()) == ["latest", "step_00000003"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path, at: int = 3) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("file", ["r00000.state", "r00001.state", "MANIFEST.json"])
@pytest.mark.parametrize(
    "damage", [truncate, flip, Path.unlink, lambda path: path.write_bytes(b"")]
)
def test_damage_to_the_newest_leads_every_rank_to_the_one_before(tmp_path, file, damage):
    filled(tmp_path / "ckpt")
    damage(tmp_path / "ckpt" / "step_00000020" / file)
    assert loaded(tmp_path / "ckpt") == is_step(10)


def test_any_flipped_bit_of_a_manifest_is_found(tmp_path):
    filled(tmp_path / "ckpt", ranks=1)
    path = tmp_path / "ckpt" / "step_00000020" / "MANIFEST.json"
    for at in range(len(path.read_bytes())):
        flip(path, at)
        assert isinstance(intact_manifest(Files(), tmp_path / "ckpt", 20), Damage), at
        flip(path, at)
    assert loaded(tmp_path / "ckpt", 1) == is_step(20, 1)


def test_a_checkpoint_under_another_name_is_damaged(tmp_path):
    filled(tmp_path / "ckpt")
    (tmp_path / "ckpt" / "step_00000020").rename(tmp_path / "ckpt" / "step_00000021")
    assert loaded(tmp_path / "ckpt") == is_step(10)


def test_all_damaged_is_an_error_on_every_rank_and_never_a_start_from_scratch(tmp_path):
    filled(tmp_path / "ckpt")
    for step in (10, 20):
        flip(tmp_path / "ckpt" / f"step_000000{step}" / "r00001.state")
    assert [type(one) for one in loaded(tmp_path / "ckpt")] == [NothingIntact] * 2


def test_stale_drafts_leftovers_and_foreign_names_are_not_looked_at(tmp_path):
    filled(tmp_path / "ckpt")
    for name in ("step_00000030.tmp-7-0-abc", ".trash-step_00000040-1", "step_50", "notes"):
        shutil.copytree(tmp_path / "ckpt" / "step_00000020", tmp_path / "ckpt" / name)
    (tmp_path / "ckpt" / "latest").unlink()
    (tmp_path / "ckpt" / "latest").symlink_to("step_00000099")
    assert loaded(tmp_path / "ckpt") == is_step(20)


def test_a_clock_that_jumps_back_changes_nothing(tmp_path):
    times = iter(["2026-05-05T00:00:00Z", "1970-01-01T00:00:00Z"] * 4)
    filled(tmp_path / "ckpt", ranks=1, options=Options(now=lambda: next(times)))
    assert loaded(tmp_path / "ckpt", 1) == is_step(20, 1)


# --- another world size


def test_another_world_size_is_refused_with_the_shards_that_forbid_it(tmp_path):
    filled(tmp_path / "ckpt")
    said = {str(one) for one in loaded(tmp_path / "ckpt", 3)}
    assert said == {
        "resume step 20 on 3 ranks: 2 ranks saved it, and each has bytes of its own in state; "
        "take 2 ranks again"
    }


def test_another_world_size_may_take_what_rank_0_alone_saved_and_drop_what_it_can_do_without(
    tmp_path,
):
    def run(rank):
        with opened(tmp_path / "ckpt", rank) as store:
            own = {"rng": bytes([rank.rank])}
            store.save(1, own | ({"model": b"all"} if rank.rank == 0 else {}))

    on_ranks(2, run)
    with opened(tmp_path / "ckpt") as store:
        with pytest.raises(Incompatible, match=r"in rng; take 2 ranks again"):
            store.load_latest()
        found = store.load_latest(droppable=["rng"])
        assert (found.read("model"), found.ranks_of("rng")) == (b"all", (0, 1))
        with pytest.raises(Incompatible, match="no such shard"):
            found.read("model", 1)


# --- two attempts at once


def test_a_second_attempt_is_refused_until_it_is_proved_that_the_first_is_gone(tmp_path):
    first = opened(tmp_path / "ckpt")
    with pytest.raises(Locked, match=r"held by job 7, attempt 0, process \d+ on .*, not proved"):
        opened(tmp_path / "ckpt", attempt=1, gone=gone_from_here)
    second = opened(tmp_path / "ckpt", attempt=1, gone=lambda holder: holder.attempt == 0)
    with pytest.raises(SaveFailed, match="no longer ours"):
        first.save(10, {"state": b"first"})
    second.save(10, {"state": b"second"})
    first.close()
    assert second.load_latest().read("state") == b"second"
    second.close()
    assert not (tmp_path / "ckpt" / "LOCK").exists()


def test_a_writer_whose_lock_is_taken_over_while_it_writes_does_not_commit(tmp_path):
    first = opened(tmp_path / "ckpt")

    def steal(file):
        opened(tmp_path / "ckpt", attempt=1, gone=lambda _: True).save(5, {"state": b"second"})

    with pytest.raises(SaveFailed, match="no longer ours"):
        first.save(10, {"state": steal})
    assert (tmp_path / "ckpt" / "step_00000005").exists()
    assert not (tmp_path / "ckpt" / "step_00000010").exists()


def test_of_many_that_take_a_dead_holders_folder_at_once_one_gets_it(tmp_path):
    opened(tmp_path / "ckpt")
    barrier = threading.Barrier(8)
    got, refused = [], []

    def take(number: int) -> None:
        barrier.wait()
        try:
            got.append(opened(tmp_path / "ckpt", attempt=number, gone=lambda one: one.attempt == 0))
        except Locked:
            refused.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(1, 9)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(got), len(refused)) == (1, 7)


def test_one_that_judged_a_lock_which_was_replaced_meanwhile_is_refused(tmp_path):
    opened(tmp_path / "ckpt")
    quick = []

    def slow(_):
        quick.append(opened(tmp_path / "ckpt", attempt=1, gone=lambda _: True))
        return True

    with pytest.raises(Locked, match="another attempt was faster"):
        opened(tmp_path / "ckpt", attempt=2, gone=slow)
    assert [one.name for one in (tmp_path / "ckpt").iterdir()] == ["LOCK"]
    quick[0].save(1, {"state": b"x"})
    quick[0].close()


def test_a_lock_that_says_nothing_is_held(tmp_path):
    (tmp_path / "LOCK").write_text("{}")
    with pytest.raises(Locked, match="does not say whose it is"):
        opened(tmp_path, gone=lambda _: True)


# --- saving again


def test_saving_the_same_state_again_is_fine_and_another_one_is_refused(tmp_path):
    with opened(tmp_path / "ckpt") as store:
        first = store.save(10, {"state": b"a"})
        assert store.save(10, {"state": b"a"}) == first
        with pytest.raises(SaveFailed, match="exists, is whole, and holds another state"):
            store.save(10, {"state": b"b"})
        assert store.load_latest().read("state") == b"a"


def test_a_damaged_checkpoint_of_the_same_step_is_set_aside_not_removed(tmp_path):
    filled(tmp_path / "ckpt", ranks=1)
    truncate(tmp_path / "ckpt" / "step_00000020" / "r00000.state")
    filled(tmp_path / "ckpt", steps=(20,), ranks=1)
    assert loaded(tmp_path / "ckpt", 1) == is_step(20, 1)
    (aside,) = (tmp_path / "ckpt").glob(".damaged-step_00000020-*")
    assert (aside / "MANIFEST.json").exists()


@pytest.mark.parametrize("shards", [{"../x": b""}, {"": b""}, {"a/b": b""}, {"x": 5}])
def test_what_cannot_be_saved_is_refused_by_name(tmp_path, shards):
    with opened(tmp_path / "ckpt") as store, pytest.raises(SaveFailed, match="shard"):
        store.save(1, shards)


def test_about_must_be_json(tmp_path):
    with opened(tmp_path / "ckpt") as store, pytest.raises(SaveFailed, match="not JSON compliant"):
        store.save(1, {}, About(more={"loss": float("nan")}))


def test_job_id_that_cannot_be_in_a_name_is_refused(tmp_path):
    with pytest.raises(FormatError, match="job id"):
        opened(tmp_path, job_id="7/8")


# --- retention


def test_the_newest_are_kept_and_every_kth(tmp_path):
    rule = Retention(keep=2, keep_every=30)
    filled(tmp_path / "ckpt", steps=range(10, 80, 10), retention=rule)
    assert sorted(one.name for one in (tmp_path / "ckpt").glob("*")) == [
        "latest",
        "step_00000030",
        "step_00000060",
        "step_00000070",
    ]


def test_nothing_is_deleted_while_the_newest_cannot_be_read_again(tmp_path):
    class Forgetful(Files):
        def open(self, path):
            if path.match("step_00000030/r*"):
                raise OSError(errno.EIO, "Input/output error", str(path))
            return super().open(path)

    filled(tmp_path / "ckpt", steps=(10, 20, 30), options=Options(files=Forgetful()))
    assert len(list((tmp_path / "ckpt").glob("step_*"))) == 3


@pytest.mark.parametrize(("keep", "every"), [(1, None), (2, 0)])
def test_fewer_than_two_are_never_kept(keep, every):
    with pytest.raises(ValueError, match="wanted"):
        Retention(keep=keep, keep_every=every)
