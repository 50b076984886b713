"""Byte code of Python sources in images, compiled by the images' own Python.

Nobody but root could write it in a running container, and without it every call of a program
compiles all that it imports. It is marked never to be checked against its source (PEP 552): that
keeps times out of it, so the same sources give the same bytes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sunk.clients import process
from sunk.local.software.cache import Hook
from sunk.local.software.confine import confined

COMPILE_SECONDS = 300
# The root file system is shared and stays as it is: the overlay has no upper layer. Arguments:
# $1 root file system, $2 scratch folder, $3 folder to compile, $4 its path in the image.
_SCRIPT = """
set -eu
mkdir -p "$2/points/$4" "$2/root"
mount -t overlay overlay -o "lowerdir=$2/points:$1" "$2/root"
mount --bind "$3" "$2/root/$4"
exec chroot "$2/root" /usr/bin/env -i PYTHONHASHSEED=0 LC_ALL=C.UTF-8 \\
    /usr/bin/python3 -B -m compileall -q --invalidation-mode unchecked-hash "/$4"
"""


def interpreter(rootfs: Path) -> Path:
    """Return the Python program of an image's root file system; part of the keys."""
    return (rootfs / "usr/bin/python3").resolve()


def compile_bytecode(
    folder: Path, place: Path, rootfs: Path, scratch: Path, log: Path, hook: Hook
) -> None:
    """Compile every source below a folder, beside it.

    Args:
        folder: what to compile.
        place: where it will lie in the image, relative to its root; the byte code names it.
        rootfs: root file system with the Python that will run it; not changed.
        scratch: folder to make and remove again.
        log: what the compiler says.
        hook: called meanwhile; raises to stop.

    Raises:
        CommandError: a source does not compile; the hint names the log.
    """
    process.run_logged(
        confined(["sh", "-c", _SCRIPT, "sh", rootfs, scratch, folder, place]),
        log=log,
        timeout_seconds=COMPILE_SECONDS,
        while_running=hook,
    )
    shutil.rmtree(scratch)  # its mounts went with the process
