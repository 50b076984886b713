"""What building the software needs, checked before any work starts."""

from __future__ import annotations

import shutil
from pathlib import Path

from sunk.errors import ConfigError, EnvironmentFault

NEEDED_GIB_EMPTY = 12
"""Cache 3 GiB, Go's own caches 6 GiB, temporary files."""
NEEDED_GIB_FILLED = 2
"""Our own layers and the image store again after an edit."""


def existing_parent(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def make_folder(folder: Path, origin: str) -> None:
    """Make a folder that a person chose, with its parents, unless it is there.

    Args:
        folder: which.
        origin: the options that name it.

    Raises:
        ConfigError: it cannot be one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"make folder {folder}: {exc.strerror}", hint=f"choose another one with {origin}"
        ) from exc


def check_space(folder: Path, *, empty: bool) -> None:
    """Check that the cache can grow.

    Args:
        folder: the cache folder, which must exist.
        empty: whether everything has still to be built.

    Raises:
        EnvironmentFault: the message names folder, free and needed space.
    """
    needed = NEEDED_GIB_EMPTY if empty else NEEDED_GIB_FILLED
    require_space(folder, "build the local cluster's software", needed)


def require_space(folder: Path, what: str, needed_gib: int) -> None:
    """Check that a folder of the cache can grow by so much.

    Args:
        folder: the cache folder, which must exist.
        what: what is tried, in words that begin with the verb.
        needed_gib: space that it takes.

    Raises:
        EnvironmentFault: the message names folder, free and needed space.
    """
    free = shutil.disk_usage(folder).free / 2**30
    if free < needed_gib:
        raise EnvironmentFault(
            f"{what} in {folder}: {free:.1f} GiB free, needs {needed_gib} GiB",
            hint="free some space, or choose another cache folder (--cache-dir)",
        )
