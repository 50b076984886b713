"""The one-line result that a job program leaves behind, for whoever asked for the run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULT_FILE = "result.json"


def write_result(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write a result as sorted JSON, whole or not at all, and return its path."""
    target = folder / RESULT_FILE
    draft = folder / f".{RESULT_FILE}.{os.getpid()}"
    draft.write_text(json.dumps(result, sort_keys=True) + "\n")
    draft.replace(target)
    return target
