"""Start a rank with a log of its own, and keep what its end means.

torchrun or srun starts it in the place of the program:
``torchrun … -m sunk_jobs.rank_log -m train``. All that the program prints goes to
``logs/<rank>.<attempt>.log``. Launchers lose a rank's exit status: torchrun ends with 1 whatever it
was, and srun with 143 when it had to kill the others. So a status that means something (75 saved,
76 saved partially, 93 do not restart) leaves the file ``control/exit.<attempt>.<status>``,
whichever rank it was. Of the other failures the first one to be seen leaves its status in
``control/failed.<attempt>``, unless it is the 143 of who was told to end.

``logs/end.<rank>.<attempt>.json`` says when and where the rank ended, and with what: whoever looks
for the first one to fail needs it, as most lines of logs have no time.

Signals are passed on, and the program dies with this process. The exit status is the program's.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

USAGE = 2
MEANINGS = (75, 76, 93)
TERMINATED = 128 + signal.SIGTERM
_PASSED_ON = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)
_PR_SET_PDEATHSIG = 1


def log_file(environment: Mapping[str, str]) -> Path:
    """Return the log of a rank.

    Raises:
        KeyError: no launcher that says so started it.
    """
    return Path("logs") / f"{int(environment['RANK'])}.{attempt(environment)}.log"


def exit_file(environment: Mapping[str, str], status: int) -> Path:
    """Return the file that says that a rank ended with a status."""
    return Path("control") / f"exit.{attempt(environment)}.{status}"


def failed_file(environment: Mapping[str, str]) -> Path:
    """Return the file that has the status of the first rank that failed."""
    return Path("control") / f"failed.{attempt(environment)}"


def end_file(log: Path) -> Path:
    """Return the file that says how the rank of a log ended."""
    return log.with_name(f"end.{log.stem}.json")


def end_of(environment: Mapping[str, str], status: int, now: float) -> dict[str, Any]:
    """Return how a rank ended.

    Args:
        environment: of the rank; Slurm's name of the node stands in it.
        status: exit status.
        now: in s since the epoch.
    """
    return {
        "rank": int(environment["RANK"]),
        "node": environment.get("SLURMD_NODENAME") or socket.gethostname(),
        "status": status,
        "time": round(now, 3),
    }


def attempt(environment: Mapping[str, str]) -> int:
    """Return the number of the run's attempt."""
    return int(environment.get("ATTEMPT", "0"))


def run(program: Sequence[str], log: Path) -> int:
    """Run a program to its end and return its status, 128 and the signal when one ended it.

    Args:
        program: arguments of this Python.
        log: gets what it prints.
    """
    library = ctypes.CDLL(None)
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [sys.executable, *program],
            stdout=sink,
            stderr=subprocess.STDOUT,
            # A killed launcher must leave no rank behind that still holds a GPU.
            preexec_fn=lambda: library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
        )
    for number in _PASSED_ON:
        signal.signal(number, lambda got, _frame: child.send_signal(got))
    status = child.wait()
    return status if status >= 0 else 128 - status


def main(words: Sequence[str] | None = None) -> int:
    """Run the program, keep what its end means, and return its status."""
    program = list(sys.argv[1:] if words is None else words)
    try:
        log = log_file(os.environ)
    except (KeyError, ValueError) as exc:
        sys.stderr.write(f"rank_log: cannot find out the rank: {exc}; set RANK, as torchrun does\n")
        return USAGE
    if not program:
        sys.stderr.write("rank_log: no program: give a script, or -m and a module\n")
        return USAGE
    status = run(program, log)
    end_file(log).write_text(json.dumps(end_of(os.environ, status, time.time())) + "\n")
    if status in MEANINGS:
        mark = exit_file(os.environ, status)
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
    elif status not in (0, TERMINATED):
        _leave_first(failed_file(os.environ), f"{status}\n")
    return status


def _leave_first(file: Path, text: str) -> None:
    """Write a file unless another rank has."""
    file.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError), file.open("x") as sink:
        sink.write(text)


if __name__ == "__main__":
    sys.exit(main())
