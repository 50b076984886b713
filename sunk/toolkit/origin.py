"""What a run was submitted from: version of the code, and the environment that changes jobs."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sunk.clients.process import run
from sunk.errors import CommandError, EnvironmentFault
from sunk.toolkit.parameters.base import is_secret

_GIT_SECONDS = 20.0
_ALLOWED = ("CUDA_", "FI_", "NCCL_", "OMP_", "OMPI_", "PYTORCH_", "TORCH_", "UCX_")
"""What changes a job and is no business of anybody's else; all other variables are left out."""
_NAMES = frozenset({"CONDA_DEFAULT_ENV", "LD_LIBRARY_PATH", "LOADEDMODULES", "PATH", "PYTHONPATH"})
MASKED = "(masked)"


def origin_of(folder: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what a job is submitted from.

    Args:
        folder: where; its git repository is looked at, if it is in one.
        variables: of this process; those that change jobs are kept, secrets among them masked.
    """
    return {
        "folder": str(folder),
        "host": platform.node(),
        "python": platform.python_version(),
        "git": _git(folder),
        "environment": {
            name: MASKED if is_secret(name, value) else value
            for name, value in sorted(variables.items())
            if name in _NAMES or name.startswith(_ALLOWED)
        },
    }


def _git(folder: Path) -> dict[str, str | None] | None:
    """Return commit and, with changes beside it, a digest of them; None outside a repository."""
    commit = _say(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _say(folder, "diff", "--binary", "HEAD")
    status = _say(folder, "status", "--porcelain")
    if changes is None or status is None:
        return {"commit": commit.strip(), "changes_sha256": "unknown"}
    digest = hashlib.sha256(f"{changes}\n{status}".encode()).hexdigest() if status else None
    return {"commit": commit.strip(), "changes_sha256": digest}


def _say(folder: Path, *words: str) -> str | None:
    try:
        done = run(("git", "-C", str(folder), *words), timeout_seconds=_GIT_SECONDS, check=False)
    except (CommandError, EnvironmentFault):
        return None
    return done.stdout if done.status == 0 else None
