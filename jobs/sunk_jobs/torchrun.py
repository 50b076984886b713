"""torchrun that ends with its ranks' exit code.

``python3 -m sunk_jobs.torchrun ARGUMENTS`` takes the arguments of torchrun and runs it; torchrun
itself ends with 1 whatever its ranks ended with, and a batch script could not tell "saved, wants a
requeue" from a crash.

Exit codes: 0 every rank ended well; else that of the rank of this node that failed first, 128 and
the signal's number if it was killed; 93 torch is missing.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence

from sunk_jobs import exit_codes

SELF_TEST_RANKS = 2


def status_of(exit_code: int) -> int:
    """Return what a shell would say of a process that ended like this (signals are negative)."""
    return 128 - exit_code if exit_code < 0 else exit_code


def become_ranks(module: str, words: Sequence[str]) -> None:
    """Become two ranks of a program on this machine, unless somebody made us a rank already.

    Does not return then; returns without torch, so that the program can say what is missing.
    """
    if "RANK" in os.environ or importlib.util.find_spec("torch") is None:
        return
    run = ["-m", "sunk_jobs.torchrun", "--standalone", f"--nproc-per-node={SELF_TEST_RANKS}"]
    command = [sys.executable, *run, "-m", module, *words]
    settings = {"OMP_NUM_THREADS": "1", **os.environ}
    os.execve(sys.executable, command, settings)  # noqa: S606 - no shell wanted


def main(words: Sequence[str] | None = None) -> int:
    """Run torchrun and return the exit code."""
    given = sys.argv[1:] if words is None else list(words)
    try:
        from torch.distributed.elastic.multiprocessing.errors import (  # noqa: PLC0415
            ChildFailedError,
        )
        from torch.distributed.run import main as run  # noqa: PLC0415
    except ImportError as exc:
        sys.stderr.write(f"torchrun: {exc}; run it with a Python that has torch\n")
        return exit_codes.DO_NOT_RESTART
    try:
        run(given)
    except ChildFailedError as exc:
        rank, failure = exc.get_first_failure()
        status = status_of(failure.exitcode)
        sys.stderr.write(f"torchrun: rank {rank} ended with {status}\n")
        return status
    return exit_codes.FINISHED


if __name__ == "__main__":
    sys.exit(main())
