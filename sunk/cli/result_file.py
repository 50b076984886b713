"""Write a result into the file that an option names."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from sunk.errors import EnvironmentFault


def write(file: Path, content: str | bytes) -> None:
    """Write a file whole; one that is there is replaced, or stays as it is.

    Raises:
        EnvironmentFault: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if not file.exists() or file.is_file():
            _replace(file, data)
        else:
            file.write_bytes(data)  # /dev/stdout, a pipe
    except OSError as exc:
        raise EnvironmentFault(
            f"write {file}: {exc.strerror or exc}", hint="name a file in a folder of yours"
        ) from exc


def _replace(file: Path, data: bytes) -> None:
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as sink:
            sink.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
