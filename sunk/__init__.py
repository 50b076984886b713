"""Slurm on Kubernetes: the bridge, the job toolkit, the local cluster and their command line."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sunk.wiring.executor import Executor

__all__ = ["Executor", "__version__"]
__version__ = "0.1.0.dev0"


def __getattr__(name: str) -> Any:
    """Load `Executor` when it is asked for: whoever imports sunk for less must not wait for it."""
    if name == "Executor":
        return import_module("sunk.wiring.executor").Executor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
