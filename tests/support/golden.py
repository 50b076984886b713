"""Golden files: compared whole; a missing one is a failure; rewritten only on demand."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def rewrites() -> bool:
    """Return whether files that the code makes are to be written, and not to be compared."""
    return os.environ.get("SUNK_REWRITE_GOLDEN") == "1"


def check_golden(name: str, text: str) -> None:
    """Compare `text` with the golden file `name`; ``make golden`` rewrites it instead."""
    check_generated(FOLDER / name, text)


def check_generated(file: Path, text: str) -> None:
    """Compare `text` with a file that the code makes; ``make golden`` rewrites it instead."""
    if rewrites():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return
    assert file.exists(), f"generated file {file} is missing; make golden writes it"
    assert text == file.read_text()
