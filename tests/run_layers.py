"""Run every test layer, and print each one's time beside its budget.

Called by ``make test``. A layer that runs no test is a failure; optional layers that cannot run
here are listed by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent


@dataclass(frozen=True)
class Layer:
    """One layer: a command and how long it may take, in seconds."""

    name: str
    argv: tuple[str, ...]
    budget_seconds: int


def tool(name: str, *words: str) -> tuple[str, ...]:
    return (str(TOOLS / name), *words)


LAYERS = (
    Layer("format", tool("ruff", "format", "--check", "--quiet", "."), 10),
    Layer("lint", tool("ruff", "check", "--quiet", "."), 10),
    Layer("types", tool("mypy"), 90),
    Layer("layers", tool("lint-imports", "--no-cache"), 30),
    Layer("docs", tool("mkdocs", "build", "--strict"), 60),
    Layer("unit", tool("pytest", "-q", "-n", "2", "tests/unit"), 120),
    Layer("contract", tool("pytest", "-q", "tests/contract", "-m", "not real and not cluster"), 60),
    Layer("scenario", tool("pytest", "-q", "tests/scenario"), 60),
    # Not a test: what the next two run on, built once and kept.
    Layer("software", tool("sunk", "local", "software"), 1200),
    Layer("real", tool("pytest", "-q", "tests/real", "tests/contract", "-m", "real"), 1500),
    Layer("cluster", tool("pytest", "-q", "tests/cluster", "tests/contract", "-m", "cluster"), 900),
)
NOT_RUN = {
    "native": "pyslurm: no build fits Debian's Slurm",
    "gpu": "needs NVIDIA hardware",
}


ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
"""Without it mkdocs-material prints an advertisement into every run."""


def main() -> int:
    rows = []
    for layer in LAYERS:
        print(f"=== {layer.name}: {' '.join(layer.argv[1:])}", flush=True)
        start = time.monotonic()
        status = subprocess.run(layer.argv, cwd=ROOT, env=ENVIRONMENT, check=False).returncode
        rows.append((layer, status, time.monotonic() - start))
    print("\nlayer      result  seconds  budget")
    for layer, status, seconds in rows:
        result = "passed" if status == 0 else "FAILED"
        print(f"{layer.name:<10} {result}  {seconds:7.0f}  {layer.budget_seconds:6d}")
    for name, why in NOT_RUN.items():
        print(f"{name:<10} not run: {why}")
    failed = sum(status != 0 for _, status, _ in rows)
    print(f"layers: {len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
