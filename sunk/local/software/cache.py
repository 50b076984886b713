"""A folder of things that are costly to make, each under a key that is a hash of its inputs.

Layout::

    entries/<kind>/<key>/manifest.json   written last; says which files of what size belong here
    entries/<kind>/<key>/content/        what was built; never changed afterwards
    building/<kind>-<key>.<random>/      a build in progress: owner.json and content/
    locks/  logs/

An entry is published by renaming a finished build, so it is whole or not there. A build whose
process died is removed by the next `sweep`, including what it left mounted.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sunk.errors import EnvironmentFault
from sunk.local import pids
from sunk.local.mounts import remove_tree

OWNER_FILE = "owner.pid"
"""Names the process that builds, so that the remains of a dead one are told from work."""
KEY_DIGITS = 20
"""Hex digits of a key: 80 bits are plenty against accidents, and paths stay readable."""
LOCK_POLL_SECONDS = 0.2

Hook = Callable[[], None]
"""Called again and again while something takes long; raises to end it."""
Say = Callable[[str], None]
"""Takes a short text about what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A published entry.

    Attributes:
        kind: what it is, for example ``rootfs``.
        key: hash of everything it was made from.
        content: folder with what was built.
        build_seconds: how long it was built just now; absent when it was there already.
    """

    kind: str
    key: str
    content: Path
    build_seconds: float | None = None

    @property
    def outcome(self) -> str:
        """A few words for a step's end."""
        if self.build_seconds is None:
            return "cached"
        minutes, seconds = divmod(round(self.build_seconds), 60)
        return f"built in {minutes}:{seconds:02d}"


def content_key(*parts: str | bytes | Path) -> str:
    """Return a key over texts, bytes, files and folders (names, execute bits and contents).

    Python's byte code and its folders are left out: they appear by themselves.
    """
    total = hashlib.sha256()
    for part in parts:
        digest = _path_digest(part) if isinstance(part, Path) else _digest(part)
        total.update(digest)
    return total.hexdigest()[:KEY_DIGITS]


def tree_files(folder: Path) -> Iterator[Path]:
    """Yield the files and links below a folder, sorted, without Python's byte code."""
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts or path.suffix == ".pyc":
            continue
        if path.is_symlink() or path.is_file():
            yield path


def _digest(part: str | bytes) -> bytes:
    return hashlib.sha256(part.encode() if isinstance(part, str) else part).digest()


def _path_digest(path: Path) -> bytes:
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).digest()
    total = hashlib.sha256()
    for file in tree_files(path):
        name = str(file.relative_to(path)).encode()
        if file.is_symlink():
            body, mark = str(file.readlink()).encode(), b"link"
        else:
            body = file.read_bytes()
            mark = b"exec" if file.stat().st_mode & 0o100 else b"file"
        for piece in (name, mark, body):
            total.update(hashlib.sha256(piece).digest())
    return total.digest()


class Cache:
    """The cache folder; safe for several threads and processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.logs = self.folder / "logs"
        self._entries = self.folder / "entries"
        self._building = self.folder / "building"
        self._locks = self.folder / "locks"

    def has_entries(self) -> bool:
        """Whether anything was ever published here."""
        return any(self._entries.glob("*/*"))

    def find(self, kind: str, key: str) -> Entry | None:
        """Return an entry that is there and whole, without waiting or building."""
        folder = self._entries / kind / key
        if not folder.is_dir() or damage(folder) is not None:
            return None
        return Entry(kind=kind, key=key, content=folder / "content")

    def newest(self, kind: str) -> Entry | None:
        """Return the entry of a kind that was published last, if one is there and whole."""
        folders = sorted((self._entries / kind).glob("*"), key=lambda one: one.stat().st_mtime)
        found = (self.find(kind, folder.name) for folder in reversed(folders))
        return next((one for one in found if one is not None), None)

    def obtain(
        self,
        kind: str,
        key: str,
        build: Callable[[Path], None],
        *,
        say: Say = lambda _text: None,
        hook: Hook = lambda: None,
    ) -> Entry:
        """Return an entry, building it first when it is missing or damaged.

        Args:
            kind: what it is.
            key: hash of its inputs, from `content_key`.
            build: fills the empty folder it is given; an exception leaves no entry.
            say: told when another process builds the same, or a damaged entry is rebuilt.
            hook: called while waiting; raises to give up.
        """
        with self._lock(f"{kind}-{key}", say, hook):
            folder = self._entries / kind / key
            if os.path.lexists(folder):
                reason = damage(folder)
                if reason is None:
                    os.utime(folder / "manifest.json")  # `prune` keeps what is used
                    return Entry(kind=kind, key=key, content=folder / "content")
                say(f"discarding a damaged cache entry: {reason}")
                remove_tree(folder)
            started = time.monotonic()
            self._build_and_publish(kind, key, build, folder)
            seconds = time.monotonic() - started
        return Entry(kind=kind, key=key, content=folder / "content", build_seconds=seconds)

    def _build_and_publish(
        self, kind: str, key: str, build: Callable[[Path], None], folder: Path
    ) -> None:
        self._building.mkdir(parents=True, exist_ok=True)
        work = self._building / f"{kind}-{key}.{secrets.token_hex(4)}"
        work.mkdir()
        try:
            owner = work / OWNER_FILE
            pids.write(owner, os.getpid())
            content = work / "content"
            content.mkdir()
            build(content)
            _write_synced(work / "manifest.json", _manifest(kind, key, content))
            owner.unlink()
            folder.parent.mkdir(parents=True, exist_ok=True)
            work.rename(folder)
            _sync_folder(folder.parent)
        except BaseException:
            remove_tree(work)
            raise

    def sweep(self, say: Say = lambda _text: None) -> None:
        """Remove what builds left behind whose process is gone, mounts included."""
        if not self._building.is_dir():
            return
        with self._lock("sweep", say, lambda: None):
            for work in sorted(self._building.iterdir()):
                if not _is_owned(work):
                    say(f"removing an interrupted build: {work.name}")
                    remove_tree(work)

    def prune(self, *, keep: int, unused_seconds: float) -> None:
        """Remove entries that are not among the `keep` most recently used ones of their kind.

        Args:
            keep: how many of each kind stay in any case.
            unused_seconds: entries used since this long stay too.
        """
        now = time.time()
        for kind in sorted(self._entries.glob("*")):
            entries = sorted(kind.iterdir(), key=_last_use, reverse=True)
            for folder in entries[keep:]:
                if now - _last_use(folder) > unused_seconds:
                    remove_tree(folder)

    def purge(self) -> None:
        """Remove every entry, log and left-over.

        Raises:
            EnvironmentFault: a build is going on, or something inside cannot be unmounted.
        """
        self.sweep()
        busy = sorted(work.name for work in self._building.glob("*"))
        if busy:
            raise EnvironmentFault(
                f"empty the cache {self.folder}: a build is going on: {busy[0]}",
                hint="wait for it or stop it, then try again",
            )
        for part in (self._entries, self._building, self._locks, self.logs):
            if part.exists():
                remove_tree(part)

    @contextlib.contextmanager
    def _lock(self, name: str, say: Say, hook: Hook) -> Iterator[None]:
        self._locks.mkdir(parents=True, exist_ok=True)
        with (self._locks / f"{name}.lock").open("a") as handle:
            waited = False
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not waited:
                        say("waiting for another process that builds the same")
                        waited = True
                    hook()
                    time.sleep(LOCK_POLL_SECONDS)
            yield


def damage(folder: Path) -> str | None:
    """Return why a published entry cannot be used, or nothing when it is whole."""
    path = folder / "manifest.json"
    try:
        wanted = json.loads(path.read_text())["files"]
    except FileNotFoundError:
        return f"{folder} has no manifest"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{path} cannot be read"
    if not isinstance(wanted, dict):
        return f"{path} lists no files"
    found = _file_sizes(folder / "content")
    if found == wanted:
        return None
    for name in sorted(wanted.keys() | found.keys()):
        if found.get(name) != wanted.get(name):
            return (
                f"{folder / 'content' / name} has {found.get(name, 'no')} bytes, "
                f"the manifest says {wanted.get(name, 'none')}"
            )
    return None


def _last_use(folder: Path) -> float:
    try:
        return (folder / "manifest.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _manifest(kind: str, key: str, content: Path) -> str:
    text = {"kind": kind, "key": key, "files": _file_sizes(content)}
    return json.dumps(text, sort_keys=True, indent=0) + "\n"


def _file_sizes(content: Path) -> dict[str, int]:
    """Return path and size of every regular file; links are not followed."""
    sizes: dict[str, int] = {}
    stack = [(str(content), "")]
    while stack:
        folder, prefix = stack.pop()
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                stack.append((entry.path, name + "/"))
            elif entry.is_file(follow_symlinks=False):
                sizes[name] = entry.stat(follow_symlinks=False).st_size
    return sizes


def _is_owned(work: Path) -> bool:
    if (work / OWNER_FILE).exists():
        return pids.read(work / OWNER_FILE) is not None
    # Between mkdir and the first write there is no owner yet: give it a moment.
    with contextlib.suppress(FileNotFoundError):
        return time.time() - work.stat().st_mtime < 10
    return True


def _write_synced(path: Path, text: str) -> None:
    with path.open("w") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
