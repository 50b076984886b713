"""How a program gets to run on a host: over a command of the site's, or in a Slurm job."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Protocol

from sunk.errors import InputError

HOST, COMMAND, SHELL = "{host}", "{command}", "{shell}"


class Backend(Protocol):
    """Runs programs on hosts.

    Attributes:
        setup_seconds: what a round takes beside its transfers, about.
    """

    setup_seconds: float

    def reserve(self, hosts: Sequence[str], minutes: float) -> None:
        """Take hold of the hosts, for at most so long.

        Raises:
            SunkError: they cannot be had.
        """

    def words(self, host: str, command: Sequence[str]) -> tuple[str, ...]:
        """Return what to start on this machine so that a command runs on a host."""

    def together(self, hosts: Sequence[str], command: Sequence[str], mpi: str) -> tuple[str, ...]:
        """Return what to start on this machine so that a command is one job on all of some hosts.

        Args:
            hosts: one rank on each.
            command: of every rank.
            mpi: how they find each other, a word of ``srun --mpi``.

        Raises:
            InputError: this way to hosts has no jobs.
        """

    def release(self) -> str:
        """Give the hosts back; return what could not be given back, empty when all was."""


class CommandBackend:
    """A command of the site's, such as ``ssh {host} {shell}``.

    Args:
        template: its words; ``{host}`` stands for the host, ``{command}`` for the words to run,
            ``{shell}`` for the same as one word, quoted for a shell.

    Raises:
        InputError: a word for the host or for the command is missing.
    """

    setup_seconds = 2.0

    def __init__(self, template: str) -> None:
        try:
            self._template = shlex.split(template)
        except ValueError as exc:
            raise InputError(f"read the command {template!r}: {exc}") from exc
        runs = [one for one in self._template if one in {COMMAND, SHELL}]
        if len(runs) != 1 or not any(HOST in one for one in self._template):
            raise InputError(
                f"read the command {template!r}: it needs {HOST}, and {COMMAND} or {SHELL} as one"
                " word",
                hint="write it like 'ssh {host} {shell}' or 'ip netns exec {host} {command}'",
            )

    def reserve(self, hosts: Sequence[str], minutes: float) -> None:
        """Nothing is to be reserved."""

    def words(self, host: str, command: Sequence[str]) -> tuple[str, ...]:
        """Return the template's words, filled in."""
        made: list[str] = []
        for word in self._template:
            if word == COMMAND:
                made += command
            elif word == SHELL:
                made.append(shlex.join(command))
            else:
                made.append(word.replace(HOST, host))
        return tuple(made)

    def together(self, hosts: Sequence[str], command: Sequence[str], mpi: str) -> tuple[str, ...]:
        """Refuse.

        Raises:
            InputError: always: a command reaches one host.
        """
        raise InputError(
            f"run {' '.join(command[-1:])} with --mpi={mpi} as one job on {len(hosts)} hosts: a"
            " command reaches one",
            hint="leave --run away, so that Slurm starts it, or choose another --tool",
        )

    def release(self) -> str:
        """Nothing was reserved."""
        return ""
