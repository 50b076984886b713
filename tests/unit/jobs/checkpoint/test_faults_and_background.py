"""Saves whose storage fails, and saves that go on in the background."""

from __future__ import annotations

import errno
import shutil
import threading

import pytest

from sunk_jobs.checkpoint import CheckpointError, Files, Options, SaveFailed, StorageBroken
from tests.support.checkpoint_runs import filled, is_step, loaded, on_ranks, opened, state

# --- faults of the file system


class Faulty(Files):
    """Fails at the N-th operation that changes something, on whatever rank."""

    def __init__(self, at: int, code: int) -> None:
        self.at = at
        self.code = code
        self.lock = threading.Lock()

    def _count(self) -> None:
        with self.lock:
            self.at -= 1
            if self.at == 0:
                raise OSError(self.code, "made to fail")


def _faulty(name: str):
    def operation(self, *words):
        self._count()
        return getattr(Files, name)(self, *words)

    return operation


CHANGING = ("create", "write", "sync", "sync_folder", "make_folder", "rename", "symlink", "unlink")
for _name in (*CHANGING, "remove_folder", "names", "size_bytes", "open"):
    setattr(Faulty, _name, _faulty(_name))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_whatever_operation_fails_all_ranks_agree_and_the_state_before_or_after_is_loaded(
    tmp_path, code
):
    filled(tmp_path / "base")
    failed = 0
    for at in range(1, 200):
        folder = tmp_path / "ckpt"
        shutil.copytree(tmp_path / "base", folder, symlinks=True)
        faulty = Faulty(10**9, code)

        def run(rank, folder=folder, faulty=faulty, at=at):
            with opened(folder, rank, options=Options(files=faulty)) as store:
                if rank.rank == 0:
                    faulty.at = at
                rank.barrier()
                try:
                    store.save(30, {"state": state(30, rank.rank)})
                except SaveFailed as exc:
                    return str(exc)
                finally:
                    rank.barrier()
                    faulty.at = 10**9
                    rank.barrier()

        said = on_ranks(2, run)
        assert said[0] == said[1]
        now = loaded(folder)
        assert now in ([is_step(20), is_step(30)] if said[0] else [is_step(30)])
        failed += said[0] is not None
        # The next attempt saves, whatever was left.
        filled(folder, steps=(40,))
        assert loaded(folder) == is_step(40)
        shutil.rmtree(folder)
        if faulty.at > 0 and at > 60:
            break
    assert failed > 10


def test_every_rank_says_which_rank_failed_and_why(tmp_path):
    def run(rank):
        def fail(file):
            raise RuntimeError("no such tensor")

        with opened(tmp_path / "ckpt", rank) as store:
            store.save(1, {"state": fail if rank.rank == 1 else b"x"})

    said = on_ranks(2, run)
    assert [str(one) for one in said] == ["save step 1: rank 1: RuntimeError: no such tensor"] * 2


def test_the_third_failure_in_a_row_says_that_the_storage_is_broken(tmp_path):
    def fail(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    store = opened(tmp_path / "ckpt")
    for _ in range(2):
        with pytest.raises(SaveFailed, match="No space left on device"):
            store.save(1, {"a": fail})
    store.save(1, {"a": b"good"})
    for expected in (SaveFailed, SaveFailed, StorageBroken):
        with pytest.raises(SaveFailed) as raised:
            store.save(2, {"a": fail})
        assert type(raised.value) is expected
    assert store.failures == 3
    store.close()


def test_a_folder_that_cannot_be_made_is_an_error_on_every_rank(tmp_path):
    (tmp_path / "file").write_text("")
    said = on_ranks(2, lambda rank: opened(tmp_path / "file" / "ckpt", rank))
    assert [type(one) for one in said] == [CheckpointError] * 2


# --- asynchronous


class Gate(Files):
    """Lets nobody past a rename of `latest` or a sync until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def sync(self, descriptor):
        self.entered.set()
        assert self.opened.wait(30)
        super().sync(descriptor)


def test_async_save_copies_before_it_returns_and_the_program_goes_on(tmp_path):
    gate = Gate()
    gate.opened.set()
    with opened(tmp_path / "ckpt", options=Options(files=gate)) as store:
        gate.opened.clear()
        live = bytearray(b"at step 10")
        pending = store.save_async(10, {"state": live, "more": lambda file: file.write(live)})
        live[:] = b"at step 11"
        assert gate.entered.wait(30)
        assert (pending.done, store.idle(), store.folder.joinpath("latest").is_symlink()) == (
            False,
            False,
            False,
        )
        gate.opened.set()
        assert pending.result().step == 10
        assert store.idle()
        found = store.load_latest()
        assert (found.read("state"), found.read("more")) == (b"at step 10",) * 2


def test_at_most_one_save_is_in_flight(tmp_path):
    running, most = [], []

    class Counting(Files):
        def make_folder(self, path):
            running.append(path)
            most.append(len(running))
            super().make_folder(path)

        def symlink(self, path, target):
            super().symlink(path, target)
            running.pop()

    with opened(tmp_path / "ckpt", options=Options(files=Counting())) as store:
        for step in range(10, 60, 10):
            store.save_async(step, {"state": bytearray(b"x" * step)})
    assert most == [1] * 5


def test_latest_moves_only_once_every_rank_is_durable(tmp_path):
    folder = tmp_path / "ckpt"
    filled(folder)
    gate = Gate()

    def run(rank):
        files = gate if rank.rank == 1 else Files()
        with opened(folder, rank, options=Options(files=files)) as store:
            pending = store.save_async(30, {"state": state(30, rank.rank)})
            if rank.rank == 1:
                assert gate.entered.wait(30)
                before = (folder / "latest").readlink().name
                gate.opened.set()
            pending.result()
            return None if rank.rank == 0 else (before, (folder / "latest").readlink().name)

    assert on_ranks(2, run)[1] == ("step_00000020", "step_00000030")


def test_a_failed_async_save_is_raised_by_the_next_call_on_every_rank(tmp_path):
    def run(rank):
        def fail(file):
            raise OSError(errno.EIO, "Input/output error")

        store = opened(tmp_path / "ckpt", rank)
        store.save_async(10, {"state": fail if rank.rank else b"x"})
        try:
            store.save_async(20, {"state": b"x"})
        except SaveFailed as exc:
            return str(exc)
        finally:
            store.close()

    assert on_ranks(2, run) == ["save step 10: rank 1: Input/output error  EIO"] * 2


def test_memory_of_the_copies_is_used_again(tmp_path):
    sizes = []

    def allocate(size_bytes):
        sizes.append(size_bytes)
        return memoryview(bytearray(size_bytes))

    with opened(tmp_path / "ckpt", options=Options(allocate=allocate)) as store:
        for step in (1, 2, 3):
            store.save_async(step, {"state": bytearray(100), "small": bytearray(step)})
    assert sizes == [100, 1, 2, 3]
