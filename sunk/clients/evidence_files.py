"""Evidence folders on disk and in archives; what is in them is `sunk.assess.bundle`'s."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sunk.errors import InputError, clip

FILES_LIMIT = 200_000
"""Files; more is somebody's home folder and no collection."""


ARCHIVE_LIMIT_BYTES = 16 * 2**30
"""Of all files of an archive together; a small file may unpack to more than a machine has."""


def read(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, or in an archive, by their relative path, sorted.

    Hidden files and symbolic links are left out: neither is part of a collection.

    Raises:
        InputError: it is neither, or holds far too much.
    """
    if folder.is_file():
        return read_archive(folder)
    if not folder.is_dir():
        raise InputError(f"read the folder {folder}: there is no such folder")
    paths = sorted(folder.rglob("*"))
    if len(paths) > FILES_LIMIT:
        raise InputError(f"read the folder {folder}: it has more than {FILES_LIMIT} files")
    found = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if not hidden and not path.is_symlink() and path.is_file():
            found[name] = path.read_bytes()
    return found


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder, whole or not at all.

    Raises:
        InputError: the folder exists.
    """
    if folder.exists():
        raise InputError(f"write the folder {folder}: it exists", hint="name one that does not")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    for name, content in files.items():
        file = draft / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    draft.rename(folder)


def write_archive(archive: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Write files as a compressed tar archive; the same files give the same bytes.

    Args:
        archive: the new file.
        name: of the folder that the files are in, inside.
        files: by their path below it.

    Raises:
        InputError: the file exists.
    """
    if archive.exists():
        raise InputError(f"write {archive}: it exists", hint="name one that does not")
    draft = archive.with_name(f".{archive.name}.{os.getpid()}")
    with (
        draft.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    draft.rename(archive)


def read_archive(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive by their path below its one folder, sorted.

    Nothing is unpacked: a path in it leads nowhere.

    Raises:
        InputError: it is no archive, is cut off or damaged, or holds far too much.
    """
    found: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for entry in tar:
                size += entry.size
                if size > ARCHIVE_LIMIT_BYTES or len(found) > FILES_LIMIT:
                    raise InputError(f"read {archive}: it holds far too much")
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is not None:
                    found[_below(entry.name)] = content.read()
            # The checksum of the compression stands behind the last file.
            while tar.fileobj is not None and tar.fileobj.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as exc:
        raise InputError(
            f"read {archive}: {clip(str(exc))}", hint="name a folder, or an archive of one"
        ) from exc
    return dict(sorted(found.items()))


def _below(name: str) -> str:
    return "/".join(PurePosixPath(name).parts[1:])
