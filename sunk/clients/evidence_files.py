"""Evidence folders on disk; what stands in them is `sunk.assess.bundle`'s."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sunk.errors import InputError

FILES_LIMIT = 200_000
"""Files; more is somebody's home folder and no collection."""


def read(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by their relative path, sorted.

    Hidden files and symbolic links are left out: neither is part of a collection.

    Raises:
        InputError: it is no folder, or holds far too much.
    """
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
