"""What is mounted below a folder, and removing a folder without ever deleting across a mount."""

from __future__ import annotations

import re
from pathlib import Path

from sunk.clients import process
from sunk.errors import CommandError, EnvironmentFault

REMOVE_TRIES = 5
"""A killed builder's last processes may still write for a moment while its folder is removed."""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def mounts_below(folder: Path, mountinfo: str) -> tuple[str, ...]:
    """Return the mount points at or below `folder`, deepest and latest first.

    Args:
        folder: absolute path without symbolic links.
        mountinfo: text of /proc/self/mountinfo (proc(5)); paths there have octal escapes.
    """
    points = []
    for line in mountinfo.splitlines():
        raw = line.split(" ")[4]
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), raw)
        if point == str(folder) or point.startswith(f"{folder}/"):
            points.append(point)
    return tuple(reversed(points))


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below `folder`.

    Raises:
        EnvironmentFault: something stays mounted.
    """
    real = folder.resolve()
    points = _mounted(real)
    for point in points:
        process.run(["umount", "--lazy", point], timeout_seconds=30, check=False)
    left = _mounted(real) if points else ()
    if left:
        raise EnvironmentFault(
            f"unmount {left[0]}: it stays mounted", hint=f"umount {left[0]}, then try again"
        )


def remove_tree(folder: Path) -> None:
    """Remove a folder and all below it, after unmounting what is mounted there.

    Raises:
        EnvironmentFault: something stays mounted; nothing was removed.
        CommandError: files could not be removed.
    """
    if folder.is_symlink():
        raise EnvironmentFault(f"remove folder {folder}: it is a symbolic link")
    for attempt in range(1, REMOVE_TRIES + 1):
        unmount_below(folder)
        try:
            process.run(["rm", "-rf", "--one-file-system", "--", folder], timeout_seconds=600)
        except CommandError:
            if attempt == REMOVE_TRIES:
                raise
        else:
            return


def _mounted(real: Path) -> tuple[str, ...]:
    return mounts_below(real, Path("/proc/self/mountinfo").read_text())
