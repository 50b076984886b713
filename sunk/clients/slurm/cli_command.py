"""One of Slurm's commands: started with a known environment, its failure or its JSON read.

Used by `sunk.clients.slurm.cli` and `sunk.clients.slurm.site` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from sunk.clients.kube.protocol import Executed
from sunk.clients.slurm import rest_v0042
from sunk.clients.slurm.cli_errors import SYSTEM, refusal
from sunk.clients.slurm.codes import error_class
from sunk.clients.slurm.runners import Runner
from sunk.clients.slurm.transport import Envelope
from sunk.errors import InputError, UnexpectedReply, clip

TIMEOUT_SECONDS = 60.0
"""Time limit of a command. They try for up to 30 s themselves when slurmctld is gone."""
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_JSON = f"--json=v{rest_v0042.VERSION}"
_EMPTY = ("No nodes to dump",)
"""Warnings that only say that the list is empty."""

T = TypeVar("T")


class Commands:
    """Starts commands and returns how they ended, or raises what went wrong.

    Args:
        runner: where they run.
        variables: set for every command, on top of PATH: SLURM_CONF where it is not the default.
        timeout_seconds: time limit of each command.
        on_warning: told about every warning.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        variables: Mapping[str, str],
        timeout_seconds: float,
        on_warning: Callable[[str], None],
    ) -> None:
        self._runner = runner
        self._variables = {"PATH": SEARCH_PATH, **variables}
        self._timeout_seconds = timeout_seconds
        self._on_warning = on_warning

    def start(
        self,
        words: Sequence[str],
        *,
        what: str,
        variables: Mapping[str, str] | None = None,
        input_text: str = "",
    ) -> Executed:
        """Run a command to its end, whatever its exit status.

        Args:
            words: the command and its arguments.
            what: begins error messages: ``read node w1``.
            variables: more of them, for this command.
            input_text: its standard input.

        Raises:
            InputError: NUL stands in an argument.
            Unreachable: it did not end in time.
        """
        merged = {**self._variables, **(variables or {})}
        # `env` gives the command these variables and no others, here and in a container alike.
        settings = [f"{name}={value}" for name, value in sorted(merged.items())]
        argv = ("env", "-i", "--", *settings, *words)
        if any("\0" in word for word in argv):
            raise InputError(f"{what}: a value holds a NUL character")
        return self._runner(argv, timeout_seconds=self._timeout_seconds, input_text=input_text)

    def run(
        self,
        words: Sequence[str],
        *,
        what: str,
        variables: Mapping[str, str] | None = None,
        input_text: str = "",
        verbose: bool = False,
    ) -> str:
        """Run a command and return its standard output.

        Args:
            words: the command and its arguments.
            what: begins error messages.
            variables: more of them, for this command.
            input_text: its standard input.
            verbose: it was asked to talk, so what it says is no warning.

        Raises:
            RemoteError: it failed; its text decides which kind.
            ConfigError: this Slurm has no JSON of our version.
            EnvironmentFault: there is no such command.
        """
        done = self.start(words, what=what, variables=variables, input_text=input_text)
        if done.status != 0:
            raise refusal(done, what, words[0])
        if done.stderr.strip() and not verbose:
            self._on_warning(f"{what}: {clip(done.stderr)}")
        return done.stdout

    def read(self, words: Sequence[str], answer: type[T], *, what: str) -> T:
        """Run a command that prints JSON and return it decoded.

        The option for JSON goes right behind the command: behind a last argument without a value
        of its own, some commands would take it for that value.

        Raises:
            RemoteError: as `run`; UnexpectedReply also for JSON that is cut or of another form.
        """
        text = self.run((words[0], _JSON, *words[1:]), what=what)
        envelope = _decoded(text, Envelope, what)
        if envelope.errors:
            last = envelope.errors[-1]
            kind = error_class(last.error_number) if last.error_number else UnexpectedReply
            said = clip(f"{last.description} {last.error}".strip()) or "no text"
            raise kind(f"{what}: {said} (Slurm error {last.error_number})", system=SYSTEM)
        for warning in envelope.warnings:
            if not any(text in warning.description for text in _EMPTY):
                self._on_warning(f"{what}: {clip(f'{warning.source} {warning.description}')}")
        return _decoded(text, answer, what)


def _decoded(text: str, answer: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(text, type=answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise UnexpectedReply(
            f"{what}: the answer is damaged: {clip(str(exc))}",
            system=SYSTEM,
            hint="if it happens again, report it with the versions of Slurm and sunk",
        ) from exc
