"""End what still runs of a test on this host, and say what would not end.

Every program of a test has the variable SUNK_FABRIC_TEST, whose value names the test; so a program
of any tool is found in ``/proc``, and one of another test or user is left alone. Prints one line of
JSON: ``ended`` and ``remaining``, the commands of each.

Exit codes: 0 nothing runs any more; 1 something remains; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MARK = "SUNK_FABRIC_TEST"
"""Variable of every program of a test; its value names the test."""
_GONE_SECONDS = 2.0
_PAUSE_SECONDS = 0.05


def marked(mark: str, proc: Path = Path("/proc")) -> dict[int, str]:
    """Return process number -> command of the programs of a test, without this one."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        # Gone since, or somebody else's: not ours to end.
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                command = b" ".join(words).decode("utf-8", "replace")
                if command:
                    found[int(folder.name)] = command
    return found


def end(mark: str) -> dict[str, list[str]]:
    """End what runs of a test on this host; return what was ended and what remains."""
    before = marked(mark)
    for number in before:
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)
    deadline = time.monotonic() + _GONE_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
    return {"ended": sorted(before.values()), "remaining": sorted(left.values())}


def main(words: Sequence[str] | None = None) -> int:
    """End them and return the exit code."""
    reader = argparse.ArgumentParser(
        prog="sunk_jobs.leftovers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reader.add_argument("--mark", required=True, help=f"value of {MARK}")
    record = end(reader.parse_args(words).mark)
    sys.stdout.write(json.dumps(record, sort_keys=True) + "\n")
    return 1 if record["remaining"] else 0


if __name__ == "__main__":
    sys.exit(main())
