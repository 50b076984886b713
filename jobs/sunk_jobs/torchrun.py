"""Starting ourselves as some ranks on this machine, for self-tests without a launcher."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence


def become_ranks(module: str, words: Sequence[str], *, ranks: int) -> None:
    """Become so many ranks of a program under torchrun, unless somebody made us a rank already.

    Does not return then; returns without torch, so that the program can say what is missing.
    """
    if "RANK" in os.environ or importlib.util.find_spec("torch") is None:
        return
    run = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command = [sys.executable, *run, "-m", module, *words]
    settings = {"OMP_NUM_THREADS": "1", **os.environ}
    os.execve(sys.executable, command, settings)  # noqa: S606 - no shell wanted
