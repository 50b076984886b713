"""Start a rank with a log of its own: all that it prints, in ``logs/<rank>.<attempt>.log``.

torchrun starts it in the place of the program, ``torchrun … -m sunk_jobs.rank_log -m train``, and
it becomes the program: signals and the exit status are the program's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

USAGE = 2


def log_file(environment: Mapping[str, str]) -> Path:
    """Return the log of a rank.

    Raises:
        KeyError: torchrun did not start it.
    """
    return Path("logs") / f"{int(environment['RANK'])}.{int(environment.get('ATTEMPT', '0'))}.log"


def main(words: Sequence[str] | None = None) -> int:
    """Become the program; return only what is wrong."""
    program = list(sys.argv[1:] if words is None else words)
    try:
        file = log_file(os.environ)
    except (KeyError, ValueError) as exc:
        sys.stderr.write(f"rank_log: cannot find out the rank: {exc}; run it under torchrun\n")
        return USAGE
    if not program:
        sys.stderr.write("rank_log: no program: give a script, or -m and a module\n")
        return USAGE
    file.parent.mkdir(exist_ok=True)
    target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    for stream in (1, 2):
        os.dup2(target, stream)
    os.execv(sys.executable, [sys.executable, *program])  # noqa: S606 - the program it is to be


if __name__ == "__main__":
    sys.exit(main())
