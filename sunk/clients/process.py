"""Run and start other programs: the only module that imports subprocess.

Arguments are always a list; nothing here goes through a shell. Used by the local cluster, the
image builds and the tests; the job toolkit reaches `sbatch` through it on a login node.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sunk.errors import CommandError, EnvironmentFault, clip

TAIL_LINES = 12
"""Lines of a failed program's output that go into the error: enough for a cause, not a flood."""


SPACE_HINT = "free some space (df shows which file system is full), then run the same command again"
_NO_SPACE = "No space left on device"
TICK_SECONDS = 0.3
"""How often `while_running` is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a program that ended left behind."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    input_text: str | None = None,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end and return its output.

    Args:
        argv: program and arguments; looked up in PATH when it has no slash.
        timeout_seconds: the program is killed after this long.
        input_text: standard input; empty when absent.
        env: variables on top of this process's own; one that is None is removed.
        cwd: working folder.
        check: raise on a non-zero status.

    Raises:
        EnvironmentFault: the program does not exist.
        CommandError: it failed or ran out of time; carries argv, status and last lines.
    """
    words = tuple(str(word) for word in argv)
    try:
        done = subprocess.run(
            words,
            input=input_text or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            env=_environment(env),
            cwd=cwd,
            check=False,
        )
    except OSError as exc:
        raise _unstartable(words, exc, cwd) from exc
    except subprocess.TimeoutExpired as exc:
        raise CommandError(
            f"run {_brief(words)}: no end after {timeout_seconds:g} s", argv=words
        ) from exc
    result = Completed(argv=words, status=done.returncode, stdout=done.stdout, stderr=done.stderr)
    if check and result.status != 0:
        raise failure(result)
    return result


def run_logged(
    argv: Sequence[str | Path],
    *,
    log: Path,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    while_running: Callable[[], None] | None = None,
) -> None:
    """Run a long program to its end with all its output appended to the file `log`.

    `while_running` is called a few times a second, to tell progress; when it raises, the program
    is killed and the exception passed on.

    Raises:
        EnvironmentFault: the program does not exist.
        CommandError: it failed or ran out of time; the message names the log.
    """
    words = tuple(str(word) for word in argv)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = _popen(words, sink, env=env, cwd=cwd, new_session=False)
        try:
            status = _wait(child, timeout_seconds, while_running)
        except subprocess.TimeoutExpired as exc:
            child.kill()
            child.wait()
            raise CommandError(
                f"run {_brief(words)}: no end after {timeout_seconds:g} s",
                argv=words,
                hint=f"see {log}",
            ) from exc
        except BaseException:
            child.kill()
            child.wait()
            raise
    if status != 0:
        raise _failed(words, status, tail_of(log), f"the whole output is in {log}")


def start(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> int:
    """Start a program that outlives us, in a session of its own, and return its pid.

    Its output is appended to `log`; its standard input is empty.

    Raises:
        EnvironmentFault: the program does not exist.
    """
    words = tuple(str(word) for word in argv)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = _popen(words, sink, env=env, cwd=cwd, new_session=True)
    pid = child.pid
    # The child is meant to outlive this object; without this, its __del__ would warn.
    child.returncode = 0
    return pid


class Running:
    """A program that runs beside us, in a session of its own; whoever launched it ends it.

    Args:
        child: the process.
        argv: its words.
        output: file of its standard output.
        errors: file of its standard error.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], argv: tuple[str, ...], output: Path, errors: Path
    ) -> None:
        self.argv = argv
        self._child = child
        self._output = output
        self._errors = errors

    @property
    def status(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        return self._child.poll()

    @property
    def output(self) -> bytes:
        """Return what it has written so far."""
        return self._output.read_bytes()

    @property
    def errors(self) -> bytes:
        """Return what it has written to standard error so far."""
        return self._errors.read_bytes()

    def wait(self, timeout_seconds: float) -> int | None:
        """Return its exit status; None when it still runs after this long."""
        try:
            return self._child.wait(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self, grace_seconds: float = 2.0) -> None:
        """End it and what it started: politely, then for good. Safe to call twice."""
        for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
            if self.status is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
            self.wait(seconds)


def launch(argv: Sequence[str | Path], *, output: Path, errors: Path) -> Running:
    """Start a program beside us; its standard input is empty.

    Args:
        argv: program and arguments.
        output: new file for its standard output.
        errors: new file for its standard error.

    Raises:
        EnvironmentFault: the program does not exist.
    """
    words = tuple(str(word) for word in argv)
    with output.open("wb") as out, errors.open("wb") as err:
        try:
            child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as exc:
            raise _unstartable(words, exc, None) from exc
    return Running(child, words, output, errors)


def piped(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program with pipes to its three streams, in a session of its own.

    Raises:
        EnvironmentFault: the program does not exist.
    """
    words = tuple(argv)
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise _unstartable(words, exc, None) from exc


def replace(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
    """Replace this process by another program (for commands like `sunk local kubectl`).

    Raises:
        EnvironmentFault: the program does not exist.
    """
    words = [str(word) for word in argv]
    try:
        os.execvpe(words[0], words, {**os.environ, **(env or {})})  # noqa: S606 - no shell wanted
    except OSError as exc:
        raise _unstartable(tuple(words), exc, None) from exc


def failure(result: Completed) -> CommandError | EnvironmentFault:
    """Return the error that describes a program's non-zero end."""
    tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-TAIL_LINES:])
    return _failed(result.argv, result.status, tail, None)


def _failed(
    words: tuple[str, ...], status: int, tail: str, hint: str | None
) -> CommandError | EnvironmentFault:
    """Return what a failed end means: a full disk is the machine's fault, not the program's."""
    full = next((line for line in tail.splitlines() if _NO_SPACE in line), None)
    if full is not None:
        return EnvironmentFault(f"run {_brief(words)}: {clip(full)}", hint=SPACE_HINT)
    return CommandError(
        f"run {_brief(words)}: exit status {status}: {clip(tail)}",
        argv=words,
        status=status,
        output=tail,
        hint=hint,
    )


def tail_of(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log file, or nothing when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as source:
        source.seek(0, os.SEEK_END)
        source.seek(max(0, source.tell() - 16384))
        text = source.read().decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-lines:])


def _wait(
    child: subprocess.Popen[bytes], seconds: float, while_running: Callable[[], None] | None
) -> int:
    if while_running is None:
        return child.wait(timeout=seconds)
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            return child.wait(timeout=min(max(left, 0.0), TICK_SECONDS))
        except subprocess.TimeoutExpired:
            if left <= TICK_SECONDS:
                raise
        while_running()


def _popen(
    words: tuple[str, ...],
    sink: IO[bytes],
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    new_session: bool,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=None if env is None else {**os.environ, **env},
            cwd=cwd,
            start_new_session=new_session,
        )
    except OSError as exc:
        raise _unstartable(words, exc, cwd) from exc


def _environment(changes: Mapping[str, str | None] | None) -> dict[str, str] | None:
    if changes is None:
        return None
    merged = {**os.environ, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _unstartable(words: tuple[str, ...], cause: OSError, cwd: Path | None) -> EnvironmentFault:
    if cwd is not None and not cwd.is_dir():
        return EnvironmentFault(
            f"run {_brief(words)} in {cwd}: there is no such folder", hint="run the command again"
        )
    if isinstance(cause, FileNotFoundError):
        return EnvironmentFault(
            f"run {words[0]}: no such program on this machine",
            hint="sunk doctor lists what is missing and the command that mends it",
        )
    return EnvironmentFault(
        f"run {words[0]}: {cause.strerror or cause}",
        hint=f"is it a program for this machine, and may it be run? ls -l {words[0]}",
    )


def _brief(words: tuple[str, ...]) -> str:
    return clip(" ".join(words), 120)
