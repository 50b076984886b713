"""Fill a page's transcript from a real run: what was printed, never what should have been.

    make demo 2>&1 | tee demo.log
    .venv/bin/python -m tests.support.transcript demo.log README.md \\
        --run ".venv/bin/sunk local ssh sinfo"

Replaces what stands between the two marks of the page. Of the log's progress it keeps how each
step ended and leaves out the lines of steps under way; of everything else it changes nothing but
spaces at the ends of lines.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

BEGIN, END = "<!-- transcript:begin -->", "<!-- transcript:end -->"
_PROGRESS = re.compile(r"^\[ *[\d:.]+(?: s)?\] .+?: ")
_STEP_ENDED = re.compile(r"\(\d+(?:\.\d+ s|:\d\d)\)$")
_ECHO = re.compile(r"^\.venv/bin/sunk demo\b")


def shown(log: str) -> list[str]:
    """Return the lines of a log of ``make demo`` that belong on a page."""
    lines = [line.rstrip() for line in log.splitlines()]
    return [
        line
        for line in lines
        if not _ECHO.match(line) and (not _PROGRESS.match(line) or _STEP_ENDED.search(line))
    ]


def output_of(command: str) -> list[str]:
    """Run a command without a shell, and return what it printed.

    Raises:
        SystemExit: it failed: a page shows only what works.
    """
    done = subprocess.run(
        shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"error: {command}: exit status {done.returncode}\n{text}")
    return [line.rstrip() for line in text.splitlines()]


def filled(page: str, lines: Iterable[str]) -> str:
    """Return the page with these lines as its transcript.

    Raises:
        SystemExit: it does not have the two marks, once each and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise SystemExit(f"error: the page needs one {BEGIN} and one {END} after it")
    body = "\n".join(lines).strip("\n")
    return f"{before}{BEGIN}\n\n```console\n{body}\n```\n\n{END}{after}"


def main(words: Sequence[str]) -> None:
    """Fill one page."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.transcript")
    parser.add_argument("log", type=Path, help="what `make demo` printed, both streams")
    parser.add_argument("page", type=Path, help="Markdown file with the two marks")
    parser.add_argument("--run", action="append", default=[], help="a command to run and show")
    wanted = parser.parse_args(words)
    lines = ["$ make demo", *shown(wanted.log.read_text())]
    for command in wanted.run:
        lines += ["", f"$ {command}", *output_of(command)]
    wanted.page.write_text(filled(wanted.page.read_text(), lines))


if __name__ == "__main__":
    main(sys.argv[1:])
