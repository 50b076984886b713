"""Golden files: compared whole; a missing one is a failure; rewritten only on demand."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Compare `text` with the golden file `name`; ``make golden`` rewrites it instead."""
    check_generated(FOLDER / name, text)


def check_generated(file: Path, text: str) -> None:
    """Compare `text` with a file that the code makes; ``make golden`` rewrites it instead."""
    if os.environ.get("SUNK_REWRITE_GOLDEN") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return
    assert file.exists(), f"generated file {file} is missing; make golden writes it"
    assert text == file.read_text()
