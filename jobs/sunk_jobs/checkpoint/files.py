"""Every file operation of the library: one object, so that each can be recorded or made to fail.

Writing is unbuffered (``write(2)``), so there is nothing to flush before an fsync.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

Buffer = bytes | bytearray | memoryview
WRITE_BYTES = 16 * 2**20
"""Most bytes of one write: hashing and writing take turns while the data is in the cache."""
READ_BYTES = 4 * 2**20


class Files:
    """The real file system."""

    def create(self, path: Path) -> int:
        """Create a file that must not exist, and return its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data, and return how many bytes that was."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Make what was written to a file durable."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file."""
        os.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable: created, renamed and removed ones."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        """Make a folder that must not exist, in one that does."""
        path.mkdir()

    def rename(self, old: Path, new: Path) -> None:
        """Give something another name in the same folder, over a file or a link that has it."""
        old.rename(new)

    def link(self, old: Path, new: Path) -> None:
        """Give a file a second name, which must not exist."""
        new.hardlink_to(old)

    def symlink(self, path: Path, target: str) -> None:
        """Make a symbolic link."""
        path.symlink_to(target)

    def unlink(self, path: Path) -> None:
        """Remove a file or a link."""
        path.unlink()

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def names(self, path: Path) -> list[str]:
        """Return the names in a folder, sorted."""
        return sorted(one.name for one in path.iterdir())

    def is_folder(self, path: Path) -> bool:
        """Say whether a name leads to a folder; links are not followed."""
        return path.is_dir() and not path.is_symlink()

    def size_bytes(self, path: Path) -> int:
        """Return the length of a file."""
        return path.stat().st_size

    def open(self, path: Path) -> BinaryIO:
        """Open a file for reading."""
        return path.open("rb")

    def read_link(self, path: Path) -> str:
        """Return where a symbolic link leads."""
        return str(path.readlink())


@dataclass(frozen=True)
class Written:
    """What was written to a file.

    Attributes:
        size_bytes: its length.
        sha256: digest of its bytes, in hexadecimal.
    """

    size_bytes: int
    sha256: str


class Sink:
    """A file being written: takes bytes, counts and digests them."""

    def __init__(self, files: Files, descriptor: int) -> None:
        self._files = files
        self._descriptor = descriptor
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def write(self, data: Buffer) -> int:
        """Write all of the data, and return how many bytes that was."""
        whole = memoryview(data).cast("B")
        for start in range(0, len(whole), WRITE_BYTES):
            piece = whole[start : start + WRITE_BYTES]
            self._digest.update(piece)
            while piece:
                piece = piece[self._files.write(self._descriptor, piece) :]
        self._size_bytes += len(whole)
        return len(whole)

    def flush(self) -> None:
        """Do nothing: there is no buffer. For writers that expect a file object."""

    @property
    def written(self) -> Written:
        """What came in so far."""
        return Written(self._size_bytes, self._digest.hexdigest())


def write_durably(files: Files, path: Path, parts: Iterable[Buffer]) -> Written:
    """Create a file, write it, fsync it. Its name is durable only once its folder is synced."""
    descriptor = files.create(path)
    try:
        sink = Sink(files, descriptor)
        for part in parts:
            sink.write(part)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    return sink.written


def read_whole(files: Files, path: Path) -> bytes:
    """Return the bytes of a small file."""
    with files.open(path) as file:
        return file.read()


def digest_of(files: Files, path: Path) -> Written:
    """Return the length and digest of what a file holds now."""
    digest, size_bytes = hashlib.sha256(), 0
    with files.open(path) as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            size_bytes += len(piece)
    return Written(size_bytes, digest.hexdigest())


def remove_tree(files: Files, path: Path) -> None:
    """Remove a folder of files, or a file; what is gone already is fine."""
    try:
        if files.is_folder(path):
            for name in files.names(path):
                remove_tree(files, path / name)
            files.remove_folder(path)
        else:
            files.unlink(path)
    except FileNotFoundError:
        return
