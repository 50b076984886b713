"""Files that are whole or not there, whenever the writer is killed."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file by way of a draft; a reader sees the old content or the new one."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=mode)
    with draft.open("wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    draft.rename(path)
