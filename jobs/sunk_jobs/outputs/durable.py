"""Write a file so that it is there whole after a crash, or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(target: Path, text: str) -> None:
    """Write a text under its name only once all of it is on the disk."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_text(text)
    put_in_place(draft, target)


def put_in_place(draft: Path, target: Path) -> None:
    """Give a complete draft its name: data first, then the name, then the folder that holds it."""
    _flush(draft, os.O_RDONLY)
    draft.replace(target)
    _flush(target.parent, os.O_RDONLY | os.O_DIRECTORY)


def _flush(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
