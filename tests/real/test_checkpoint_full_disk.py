"""Checkpoints on a file system that is really full. Needs root, to mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sunk_jobs.checkpoint import Retention, SaveFailed, StorageBroken, Store
from sunk_jobs.checkpoint.files import Files
from sunk_jobs.checkpoint.survey import apply, clean_up, findings, look
from tests.support.checkpoint_runs import on_ranks

pytestmark = [pytest.mark.real]

SHARD_BYTES = 64 * 1024
"""Of each of two ranks; a checkpoint is 128 KiB and some."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for three checkpoints and a half."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=480k", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def shard(step: int, rank: int) -> bytes:
    return bytes([step, rank]) * (SHARD_BYTES // 2)


def saved(folder: Path, steps, *, in_background: bool, keep: int = 9) -> list[list[str]]:
    """Save these steps and return, for each rank, what came of each."""

    def run(rank):
        said = []
        with Store(
            folder, group=rank, run_id="r", job_id="7", retention=Retention(keep=keep)
        ) as store:
            for step in steps:
                try:
                    if in_background:
                        store.save_async(step, {"state": shard(step, rank.rank)})
                        store.wait()
                    else:
                        store.save(step, {"state": shard(step, rank.rank)})
                    said.append("saved")
                except SaveFailed as exc:
                    assert "ENOSPC" in str(exc)
                    said.append(type(exc).__name__)
            found = store.load_latest()
            assert found.read("state", rank.rank) == shard(found.step, rank.rank)
            said.append(found.step)
        return said

    return on_ranks(2, run)


@pytest.mark.parametrize("in_background", [False, True])
def test_saves_that_find_no_room_fail_on_all_ranks_and_the_last_whole_one_is_loaded(
    small, in_background
):
    said = saved(small / "ckpt", range(1, 7), in_background=in_background)
    failed = [SaveFailed.__name__, SaveFailed.__name__, StorageBroken.__name__]
    assert said == [["saved"] * 3 + failed + [3]] * 2


def test_clean_up_makes_room_again(small):
    folder = small / "ckpt"
    saved(folder, range(1, 5), in_background=False)
    seen = look(Files(), folder, digests=True)
    assert findings(seen) == []
    apply(Files(), folder, clean_up(seen, Retention(keep=2), ours=True), "1")
    assert saved(folder, [5], in_background=False, keep=2) == [["saved", 5]] * 2
