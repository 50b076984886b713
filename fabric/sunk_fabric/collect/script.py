"""The lines that a shell on a host gets, and how its answer is cut into texts; pure.

One shell runs for all commands of a host: a login costs much, and a user's start-up files run once.
Standard output and error stay apart. After each command, both get a mark that nobody on the host
can know beforehand; what stands before the mark is the command's.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from sunk_fabric.collect.questions import Question

KILL_SECONDS = 2
"""Between SIGTERM and SIGKILL for a command that is out of time."""
TIMED_OUT = 124
"""How ``timeout`` ends when it had to end the command."""


def hello(mark: str) -> bytes:
    """Return the lines that prepare a shell; it answers with its name and its clock.

    ``timeout`` is used where there is one. Places of administrators' programs are added to PATH,
    and languages switched off.
    """
    return (
        f"m={_split(mark)}\n"
        "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C\n"
        "export PATH LC_ALL\n"
        "exec 4>&1\n"
        "if command -v timeout >/dev/null 2>&1\n"
        f'then t() {{ timeout -k {KILL_SECONDS} "$@"; }}\n'
        'else t() { shift; "$@"; }\n'
        "fi\n"
        'printf \'\\n%s %s %s\\n\' "$m" "$(date +%s)" "$(uname -n)"\n'
        "printf '\\n%s\\n' \"$m\" >&2\n"
    ).encode()


def ask(question: Question, limit_bytes: int) -> bytes:
    """Return the lines that run one command.

    Each stream is cut on the host, one byte after the limit, so that a flood stays there.
    """
    run = f"t {question.within_seconds:g} {shlex.join(question.argv)}"
    quiet = "3>&- 4>&- 5>&-"
    if question.program:
        command = f"printf '%s' {shlex.quote(question.program)} | {run} {quiet}"
    else:
        command = f"{run} </dev/null {quiet}"
    cut = f"head -c {limit_bytes + 1}"
    return (
        f's=$( {{ {{ {{ {command}; echo "$?" >&3; }} 2>&1 >&5 5>&- | {cut} >&2; }}'
        f" 5>&1 | {cut} >&4; }} 3>&1 )\n"
        'printf \'\\n%s %s\\n\' "$m" "$s"\n'
        "printf '\\n%s\\n' \"$m\" >&2\n"
    ).encode()


def _split(mark: str) -> str:
    """Return a mark in two parts, so that a shell that echoes its input does not say it."""
    half = len(mark) // 2
    return f"{mark[:half]}''{mark[half:]}"


@dataclass
class Framed:
    """Gathers what a shell says until both marks are there.

    Attributes:
        mark: what ends a text.
        limit_bytes: of each stream; more is dropped, and noted.
        out: standard output so far, and what came after its mark.
        err: standard error so far, and what came after its mark.
    """

    mark: bytes
    limit_bytes: int
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)

    def feed(self, out: bytes, err: bytes) -> None:
        """Add what was heard."""
        self.out += out
        self.err += err

    @property
    def flooded(self) -> bool:
        """Whether the shell says more than it was told to: its frames cannot be trusted."""
        # Twice: the host cuts one byte after the limit, so only a broken one gets near.
        return max(len(self.out), len(self.err)) > 2 * self.limit_bytes + 4096

    def take(self) -> tuple[bytes, bytes, str] | None:
        """Return the next output, error, and the words after the mark; nothing before its end."""
        found = self._end()
        if found is None:
            return None
        at, line_end, err_at = found
        words = bytes(self.out[at + 2 + len(self.mark) : line_end])
        text, errors = bytes(self.out[:at]), bytes(self.err[:err_at])
        del self.out[: line_end + 1]
        del self.err[: err_at + len(self.mark) + 2]
        return text, errors, words.decode("utf-8", "backslashreplace")

    def _end(self) -> tuple[int, int, int] | None:
        at = self.out.find(b"\n" + self.mark + b" ")
        line_end = self.out.find(b"\n", at + 1)
        err_at = self.err.find(b"\n" + self.mark + b"\n")
        return None if min(at, line_end, err_at) < 0 else (at, line_end, err_at)
