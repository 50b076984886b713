"""A power loss at any moment: every state of the disk that POSIX allows is laid out and loaded.

A killed process proves no fsync, as the kernel lives on and writes. So operations are recorded, and
`tests.support.crash_states` says what may be left of them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sunk_jobs.checkpoint import Files
from tests.support.checkpoint_runs import promised, record, violation
from tests.support.crash_states import Disk, Operation, Tree, crash_states, lay_out

STEPS = (10, 20, 30)
"""The third save retires the first."""
SYNCS_OF_ALL = {"LOCK": 1, "shards": 6, "manifests": 3, "drafts": 3, "folder": 4}
"""How many there are with two ranks; the folder's are one for each save and one that retires."""


def violations(operations: Sequence[Operation], folder: Path):
    """Yield what each crash state breaks, or None."""
    for done, tree in crash_states(operations):
        yield broken(done, tree, folder)


def broken(done: Sequence[Operation], tree: Tree, folder: Path) -> str | None:
    lay_out(tree, folder)
    found = violation(Files(), folder, *promised(done))
    shutil.rmtree(folder)
    return found


def kind(sync: Operation) -> str:
    name = sync.path.rpartition("/")[2]
    if sync.verb == "sync_folder":
        return "folder" if sync.path == "." else "drafts"
    return {"MANIFEST.json.tmp": "manifests"}.get(name, "LOCK" if "LOCK" in name else "shards")


@pytest.mark.parametrize("ranks", [1, 2])
def test_after_any_power_loss_the_last_durable_state_is_loaded_or_the_one_in_flight(
    tmp_path, ranks
):
    operations = record(tmp_path / "ckpt", ranks, STEPS)
    found = list(violations(operations, tmp_path / "crashed"))
    assert set(found) == {None}
    assert len(found) > 150  # an enumeration that fell silent would pass as well


def test_every_single_fsync_is_needed_and_these_are_all(tmp_path):
    whole = record(tmp_path / "ckpt", 2, STEPS)
    syncs = [one for one in whole if one.verb.startswith("sync")]
    assert Counter(map(kind, syncs)) == SYNCS_OF_ALL
    idle = []
    for left_out in range(len(syncs)):
        operations = record(tmp_path / f"without-{left_out}", 2, STEPS, leave_out=left_out)
        # It suffices to look where it shows: when names change, and when a save reports.
        states = crash_states(operations, {"rename", "link", "unlink", "mark"}, skip=left_out)
        if not any(broken(done, tree, tmp_path / "crashed") for done, tree in states):
            idle.append(left_out)
    assert idle == []


def test_a_rename_may_be_lost_or_come_first_until_its_folder_is_synced():
    disk = Disk()
    for one in (
        Operation("create", "a"),
        Operation("write", "a", data=b"new!"),
        Operation("sync", "a"),
        Operation("rename", "a", "b"),
    ):
        disk.do(one)
    left = [{}, {"a": b"new!"}, {"b": b"new!"}]
    assert sorted(map(repr, disk.crashed())) == sorted(map(repr, left))
    disk.do(Operation("sync_folder", "."))
    assert list(disk.crashed()) == [{"b": b"new!"}]


def test_what_was_written_and_not_synced_may_be_lost_cut_short_or_zeros():
    disk = Disk()
    for one in (Operation("create", "a"), Operation("sync_folder", ".")):
        disk.do(one)
    disk.do(Operation("write", "a", data=b"1234"))
    assert [tree["a"] for tree in disk.crashed()] == [b"", b"12", b"\0\0\0\0", b"1234"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_sampled_states_of_a_longer_run_of_more_ranks_keep_the_promise(tmp_path, data, long_run):
    moment = data.draw(st.integers(0, len(long_run)))
    disk = Disk()
    for one in long_run[:moment]:
        disk.do(one)
    tree = disk.sampled(lambda count: data.draw(st.integers(0, count - 1)))
    folder = tmp_path / "crashed"
    lay_out(tree, folder)
    found = violation(Files(), folder, *promised(long_run[:moment]))
    shutil.rmtree(folder)
    assert found is None


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long") / "ckpt"
    return record(folder, 4, range(10, 90, 10))
