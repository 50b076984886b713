"""What a real Slurm printed, see tests/recordings/slurm_texts."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "recordings" / "slurm_texts"


def recorded(name: str) -> str:
    """Return a recorded text: configuration, partitions, nodes, topology, qos, associations."""
    text: str = json.loads((FOLDER / f"{name}.json").read_text())["stdout"]
    return text
