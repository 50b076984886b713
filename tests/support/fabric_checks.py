"""Folders of texts, judged: how tests of checks ask."""

from __future__ import annotations

import json
from pathlib import Path

from sunk.assess.verdict import Verdict
from sunk_fabric import service

FAIL, PASS, SKIP, UNKNOWN, WARN = (
    Verdict.FAIL,
    Verdict.PASS,
    Verdict.SKIP,
    Verdict.UNKNOWN,
    Verdict.WARN,
)


def every(folder: Path, files, expected=None, intended=None, only=()):
    """Write files into a folder, contents as bytes or as what becomes JSON; return findings."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return service.check(folder, expected, intended, only)
