"""Run every test layer, and print each one's time beside its budget.

Called by ``make test``. A layer that runs no test is a failure; optional layers that cannot run
here are listed by name. In the layers that drive real daemons, what failed is run once more: the
layer passes only if all of it passes then, and the summary names each test that needed it.
"""

from __future__ import annotations

import json
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
    """One layer: a command and how long it may take, in seconds.

    ``second_try``: real clocks, kernels and a shared machine take part, so that one failure does
    not yet say whose it is.
    """

    name: str
    argv: tuple[str, ...]
    budget_seconds: int
    second_try: bool = False


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
    Layer("scenario", tool("pytest", "-q", "-n", "2", "tests/scenario"), 60),
    # Not a test: what the next two run on, built once and kept.
    Layer("software", tool("sunk", "local", "software", "torch", "fabric"), 1800),
    Layer(
        "real",
        # By files: what a file's tests share is made once.
        tool(
            *("pytest", "-q", "-n", "2", "--dist", "loadfile", "tests/real", "tests/contract"),
            *("-m", "real and not nightly"),
        ),
        900,
        True,
    ),
    Layer(
        "cluster",
        tool("pytest", "-q", "tests/cluster", "tests/contract", "-m", "cluster and not nightly"),
        900,
        True,
    ),
)
NOT_RUN = {
    "native": "pyslurm itself: no build fits Debian's Slurm; a stand-in takes its place",
    "gpu": "needs NVIDIA hardware",
    "guest": "opt-in, with minutes of translated machines: make guest",
}


ENVIRONMENT = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
"""Without it mkdocs-material prints an advertisement into every run."""


@dataclass(frozen=True)
class Outcome:
    """What a layer came to, and which of its tests passed only at the second try."""

    layer: Layer
    status: int
    seconds: float
    second: tuple[str, ...] = ()


def run(argv: tuple[str, ...]) -> int:
    return subprocess.run(argv, cwd=ROOT, env=ENVIRONMENT, check=False).returncode


def last_failed() -> tuple[str, ...]:
    """The tests that pytest's cache names as failed in the run before."""
    try:
        text = (ROOT / ".pytest_cache/v/cache/lastfailed").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    return tuple(sorted(json.loads(text)))


def run_layer(layer: Layer) -> Outcome:
    """Run ``layer``, and what failed of it once more where that is its rule."""
    print(f"=== {layer.name}: {' '.join(layer.argv[1:])}", flush=True)
    start = time.monotonic()
    status = run(layer.argv)
    second: tuple[str, ...] = ()
    # 1: some tests failed. An interruption, no test at all or a crash of pytest ends the layer.
    if status == 1 and layer.second_try and (second := last_failed()):
        print(f"=== {layer.name}: second try of {len(second)} that failed", flush=True)
        alone = ("-n", "0")  # nothing beside it this time
        again = ("--last-failed", "--last-failed-no-failures=none")
        status = run((*layer.argv, *alone, *again))
    return Outcome(layer, status, time.monotonic() - start, second)


def main() -> int:
    outcomes = [run_layer(layer) for layer in LAYERS]
    print("\nlayer      result  seconds  budget")
    for done in outcomes:
        result = "passed" if done.status == 0 else "FAILED"
        print(
            f"{done.layer.name:<10} {result}  {done.seconds:7.0f}  {done.layer.budget_seconds:6d}"
        )
        for name in done.second:
            print(f"           needed a second try: {name}")
    for name, why in NOT_RUN.items():
        print(f"{name:<10} not run: {why}")
    failed = sum(done.status != 0 for done in outcomes)
    print(f"layers: {len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
