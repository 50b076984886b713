"""`sunk.Executor`: calls of Python functions on the Slurm of a login node, or on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from sunk.errors import InputError
from sunk.toolkit.executor import CallExecutor
from sunk.toolkit.executor.backend import Backend
from sunk.toolkit.executor.debug import DebugBackend
from sunk.toolkit.executor.local import LocalBackend
from sunk.toolkit.executor.slurm import SlurmBackend
from sunk.toolkit.runs import RUNS_FOLDER
from sunk.wiring import login

BACKENDS = ("slurm", "local", "debug")


class Executor(CallExecutor):
    """Calls functions in Slurm jobs, in processes of this machine, or in this process.

    Args:
        backend: ``slurm``, ``local`` or ``debug``.
        folder: parent of run folders, ``~/sunk-runs`` when absent; nodes have to see it.
        at_once: calls of an array, or processes of this machine, that run at once; when absent,
            256, or as many as this machine has CPUs.
        python: what runs the calls, of this program's version; when absent, this program's own,
            and on nodes that lack it the one that its environment was made from.
        **parameters: of each job, such as ``time_limit="30"``, ``cpus_per_task=4``,
            ``partition="main"``; see the reference of jobs.

    Raises:
        InputError: there is no such back end or parameter, or a value is wrong.
    """

    def __init__(
        self,
        backend: str = "slurm",
        *,
        folder: Path | str | None = None,
        at_once: int | None = None,
        python: str | None = None,
        **parameters: Any,
    ) -> None:
        root = Path.home() / RUNS_FOLDER if folder is None else Path(folder).absolute()
        limit = {} if at_once is None else {"at_once": at_once}
        super().__init__(
            _backend(backend, python or sys.executable, at_once or os.cpu_count() or 1),
            root,
            {**_pythons(python), **limit, **parameters},
        )


def _pythons(python: str | None) -> dict[str, str]:
    if python is not None:
        return {"python": python}
    own, made_from = sys.executable, str(Path(sys.executable).resolve())
    return {"python": own} | ({} if own == made_from else {"fallback_python": made_from})


def _backend(name: str, python: str, at_once: int) -> Backend:
    match name:
        case "slurm":
            return SlurmBackend(login.slurm_commands())
        case "local":
            return LocalBackend(python, at_once)
        case "debug":
            return DebugBackend()
    raise InputError(
        f"make executor: there is no back end {name!r}", hint=f"back ends: {', '.join(BACKENDS)}"
    )
