"""The cache: keys, publication, damage, interrupted builds, two builders at once."""

import errno
import json
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sunk.errors import EnvironmentFault
from sunk.local import pids
from sunk.local.software.cache import OWNER_FILE, Cache, content_key


def write(text):
    def build(content: Path) -> None:
        (content / "file").write_text(text)

    return build


def never(content: Path) -> None:
    raise AssertionError("built although the entry is there")


def name_owner(folder: Path, *, alive: bool) -> None:
    """Note this process, or one that is gone, as the builder in `folder`."""
    file = folder / OWNER_FILE
    pids.write(file, os.getpid())
    if not alive:
        noted = msgspec.json.decode(file.read_bytes(), type=pids.Identity)
        file.write_bytes(msgspec.json.encode(replace(noted, start_ticks=noted.start_ticks - 1)))


def test_a_second_obtain_returns_the_entry_without_building(tmp_path):
    cache = Cache(tmp_path)
    first = cache.obtain("kind", "key", write("hello"))
    second = cache.obtain("kind", "key", never)
    assert (second.content / "file").read_text() == "hello"
    assert first.build_seconds is not None
    assert second.outcome == "cached"


def test_a_failed_build_leaves_nothing(tmp_path):
    cache = Cache(tmp_path)

    def build(content: Path) -> None:
        (content / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.obtain("kind", "key", build)
    assert cache.find("kind", "key") is None
    assert list((tmp_path / "building").iterdir()) == []


def test_a_build_that_fills_the_disk_leaves_nothing_and_succeeds_later(tmp_path):
    cache = Cache(tmp_path)

    def fill(content: Path) -> None:
        (content / "half").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(content / "half"))

    with pytest.raises(OSError, match="No space left on device"):
        cache.obtain("kind", "key", fill)
    assert list((tmp_path / "building").iterdir()) == []
    assert (cache.obtain("kind", "key", write("hello")).content / "file").read_text() == "hello"


def shorten(entry: Path) -> None:
    (entry / "content/file").write_text("hell")


def lose_manifest(entry: Path) -> None:
    (entry / "manifest.json").unlink()


def garble_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("{")


def lose_file(entry: Path) -> None:
    (entry / "content/file").unlink()


def add_file(entry: Path) -> None:
    (entry / "content/extra").write_text("x")


def empty_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("")


def foreign_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text('{"files": ["file"]}')


def manifest_as_folder(entry: Path) -> None:
    (entry / "manifest.json").unlink()
    (entry / "manifest.json").mkdir()


def content_as_file(entry: Path) -> None:
    shutil.rmtree(entry / "content")
    (entry / "content").touch()


def entry_as_file(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.touch()


HARMS = (
    *(shorten, lose_manifest, garble_manifest, lose_file, add_file, empty_manifest),
    *(foreign_manifest, manifest_as_folder, content_as_file, entry_as_file),
)


@pytest.mark.parametrize("harm", HARMS, ids=lambda f: f.__name__)
def test_a_damaged_entry_is_discarded_with_a_message_and_rebuilt(tmp_path, harm):
    cache = Cache(tmp_path)
    cache.obtain("kind", "key", write("hello"))
    harm(tmp_path / "entries/kind/key")
    said: list[str] = []
    entry = cache.obtain("kind", "key", write("again"), say=said.append)
    assert (entry.content / "file").read_text() == "again"
    assert sorted(file.name for file in entry.content.iterdir()) == ["file"]
    assert len(said) == 1
    assert said[0].startswith("discarding a damaged cache entry: ")


def test_sweep_removes_builds_of_dead_processes_and_spares_living_ones(tmp_path):
    cache = Cache(tmp_path)
    for name in ("alive", "dead"):
        folder = tmp_path / "building" / name
        folder.mkdir(parents=True)
        name_owner(folder, alive=name == "alive")
    cache.sweep()
    assert [work.name for work in (tmp_path / "building").iterdir()] == ["alive"]


def test_sweep_removes_an_old_build_that_never_named_its_owner(tmp_path):
    folder = tmp_path / "building/nobody"
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    Cache(tmp_path).sweep()
    assert not folder.exists()


def test_two_threads_build_the_same_entry_once(tmp_path):
    cache = Cache(tmp_path)
    inside, go_on = threading.Event(), threading.Event()
    builds: list[str] = []

    def build(content: Path) -> None:
        builds.append(threading.current_thread().name)
        inside.set()
        assert go_on.wait(30)
        (content / "file").write_text("x")

    waiting = threading.Event()
    first = threading.Thread(target=cache.obtain, args=("kind", "key", build))
    second = threading.Thread(
        target=cache.obtain,
        args=("kind", "key", build),
        kwargs={"say": lambda _text: waiting.set()},
    )
    first.start()
    assert inside.wait(30)
    second.start()
    assert waiting.wait(30)  # the second was told that it waits
    go_on.set()
    first.join(30)
    second.join(30)
    assert len(builds) == 1
    assert cache.find("kind", "key") is not None


def test_waiting_for_another_builder_ends_when_the_hook_raises(tmp_path):
    cache = Cache(tmp_path)

    def give_up() -> None:
        raise KeyboardInterrupt

    def build(_content: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            cache.obtain("kind", "key", never, hook=give_up)

    cache.obtain("kind", "key", build)


def test_prune_keeps_the_most_recently_used_entries_of_each_kind(tmp_path):
    cache = Cache(tmp_path)
    for age, key in enumerate(("new", "used", "old", "older")):
        for kind in ("one", "two"):
            cache.obtain(kind, key, write("x"))
            os.utime(tmp_path / "entries" / kind / key / "manifest.json", (0, 1000 - age))
    cache.obtain("one", "older", never)  # used now
    cache.prune(keep=2, unused_seconds=0)
    left = {
        kind: sorted(p.name for p in (tmp_path / "entries" / kind).iterdir())
        for kind in ("one", "two")
    }
    assert left == {"one": ["new", "older"], "two": ["new", "used"]}


def test_prune_spares_what_was_used_a_moment_ago(tmp_path):
    cache = Cache(tmp_path)
    for key in ("a", "b", "c"):
        cache.obtain("kind", key, write("x"))
    cache.prune(keep=1, unused_seconds=600)
    assert len(list((tmp_path / "entries/kind").iterdir())) == 3


def test_purge_empties_the_cache(tmp_path):
    cache = Cache(tmp_path)
    cache.obtain("kind", "key", write("hello"))
    assert cache.has_entries()
    cache.purge()
    assert not cache.has_entries()
    assert list(tmp_path.iterdir()) == []


def test_purge_refuses_while_something_is_being_built(tmp_path):
    cache = Cache(tmp_path)
    folder = tmp_path / "building/busy"
    folder.mkdir(parents=True)
    name_owner(folder, alive=True)
    with pytest.raises(EnvironmentFault, match="a build is going on: busy"):
        cache.purge()
    assert folder.exists()


def test_the_manifest_names_every_file_and_its_size(tmp_path):
    def build(content: Path) -> None:
        (content / "a/b").mkdir(parents=True)
        (content / "a/b/c").write_bytes(b"12345")
        (content / "link").symlink_to("nowhere")

    Cache(tmp_path).obtain("kind", "key", build)
    manifest = json.loads((tmp_path / "entries/kind/key/manifest.json").read_text())
    assert manifest == {"kind": "kind", "key": "key", "files": {"a/b/c": 5}}


TREES = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.binary(max_size=8), min_size=1, max_size=4
)


def lay_out(folder: Path, tree: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in tree.items():
        (folder / name).write_bytes(data)
    return folder


@given(one=TREES, other=TREES)
def test_keys_of_folders_are_equal_exactly_when_the_folders_are(one, other, tmp_path_factory):
    base = tmp_path_factory.mktemp("keys")
    same = content_key(lay_out(base / "1", one)) == content_key(lay_out(base / "2", other))
    assert same == (one == other)


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_keys_of_texts_are_equal_exactly_when_all_parts_are(one, other):
    assert (content_key(*one) == content_key(*other)) == (one == other)


def test_a_key_sees_the_execute_bit_and_not_byte_code(tmp_path):
    file = tmp_path / "script"
    file.write_text("x")
    before = content_key(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/script.pyc").write_text("y")
    assert content_key(tmp_path) == before
    file.chmod(0o755)
    assert content_key(tmp_path) != before
