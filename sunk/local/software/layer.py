"""A folder as one layer of a container image: the same folder gives the same bytes.

Format: OCI image specification, "Image Layer Filesystem Changeset": a tar; extended attributes as
PAX records ``SCHILY.xattr.<name>``.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

XATTR_PREFIX = "SCHILY.xattr."
_KEPT_XATTRS = ("security.capability", "user.")
"""File capabilities are part of a program; labels of the machine's security module are not."""
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An uncompressed layer; its diff id equals its digest.

    Attributes:
        blob: the tar.
        digest: ``sha256:`` and the hash of the tar.
        size: bytes of the tar.
    """

    blob: Path
    digest: str
    size: int


class HashingWriter:
    """Writes to a file and hashes what it wrote."""

    def __init__(self, path: Path) -> None:
        self._sink = path.open("wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write and hash."""
        self._hash.update(data)
        self.size += len(data)
        return self._sink.write(data)

    def close(self) -> None:
        """Close the file."""
        self._sink.close()

    @property
    def digest(self) -> str:
        """Digest of all that was written."""
        return f"sha256:{self._hash.hexdigest()}"


def write_layer(root: Path, folder: Path, *, epoch_seconds: int) -> Layer:
    """Write the tree below `root` as ``layer.tar`` with its ``layer.json`` into `folder`.

    Entries are sorted, times are never after `epoch_seconds`, owners are numbers only, hard links
    stay hard links, sockets are left out.
    """
    blob = folder / "layer.tar"
    writer = HashingWriter(blob)
    try:
        with tarfile.open(
            fileobj=writer,  # type: ignore[call-overload]
            mode="w|",
            format=tarfile.PAX_FORMAT,
            encoding="utf-8",
            errors="surrogateescape",
            bufsize=_COPY_BYTES,
        ) as archive:
            first_names: dict[tuple[int, int], str] = {}
            for path in _walk(root):
                _add(archive, root, path, first_names, epoch_seconds)
    finally:
        writer.close()
    layer = Layer(blob=blob, digest=writer.digest, size=writer.size)
    facts = {"digest": layer.digest, "size": layer.size}
    (folder / "layer.json").write_text(json.dumps(facts, sort_keys=True) + "\n")
    return layer


def read_layer(folder: Path) -> Layer:
    """Return the layer that `write_layer` left in `folder`."""
    facts = json.loads((folder / "layer.json").read_text())
    return Layer(blob=folder / "layer.tar", digest=facts["digest"], size=facts["size"])


def _walk(root: Path) -> Iterator[Path]:
    """Yield everything below `root`, folders before their content, in an order of bytes."""
    with os.scandir(root) as entries:
        ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in ordered:
        path = Path(entry.path)
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)


def _add(
    archive: tarfile.TarFile,
    root: Path,
    path: Path,
    first_names: dict[tuple[int, int], str],
    epoch_seconds: int,
) -> None:
    status = path.lstat()
    if stat.S_ISSOCK(status.st_mode):
        return
    info = tarfile.TarInfo(str(path.relative_to(root)))
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = status.st_uid, status.st_gid
    info.mtime = max(0, min(int(status.st_mtime), epoch_seconds))
    _set_type(info, path, status)
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        first = first_names.setdefault((status.st_dev, status.st_ino), info.name)
        if first != info.name:
            info.type, info.linkname, info.size = tarfile.LNKTYPE, first, 0
    if info.type != tarfile.LNKTYPE:
        info.pax_headers = _xattrs(path)
    if info.isreg():
        with path.open("rb") as source:
            archive.addfile(info, source)
    else:
        archive.addfile(info)


def _set_type(info: tarfile.TarInfo, path: Path, status: os.stat_result) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        info.type, info.size = tarfile.REGTYPE, status.st_size
    elif stat.S_ISDIR(mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISFIFO(mode):
        info.type = tarfile.FIFOTYPE
    else:
        info.type = tarfile.CHRTYPE if stat.S_ISCHR(mode) else tarfile.BLKTYPE
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)


def _xattrs(path: Path) -> dict[str, str]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}  # a file system without extended attributes
    return {
        XATTR_PREFIX + name: os.getxattr(path, name, follow_symlinks=False).decode(
            "utf-8", "surrogateescape"
        )
        for name in sorted(names)
        if name.startswith(_KEPT_XATTRS)
    }
