"""Where Slurm's own commands run: on this machine, or in a container of a Pod.

A runner takes an argument list and gives back how the program ended. It knows nothing of Slurm,
and no shell is ever in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sunk.clients import process
from sunk.clients.kube.protocol import Executed, Kube
from sunk.errors import CommandError, InputError, Unreachable

INPUT_BYTES_MAX = 100_000
"""Longest input of a program in a Pod: it travels as one argument, and Linux takes 128 KiB."""

# A program in a container gets no standard input over the API server, as the end of it cannot be
# told in the protocol that every server speaks. So its text comes as an argument.
_FEED = (
    "import subprocess, sys; "
    "sys.exit(subprocess.run(sys.argv[2:], input=sys.argv[1].encode(errors='surrogateescape'))"
    ".returncode)"
)


class Runner(Protocol):
    """Runs a program to its end; safe to share between threads."""

    def __call__(
        self, argv: Sequence[str], *, timeout_seconds: float, input_text: str = ""
    ) -> Executed:
        """Return its status and output, whatever the status.

        Raises:
            Unreachable: it did not end in time, or the way to it is cut.
            EnvironmentFault: it does not exist.
        """


class ProcessRunner:
    """Runs programs on this machine, as this process's user."""

    def __call__(
        self, argv: Sequence[str], *, timeout_seconds: float, input_text: str = ""
    ) -> Executed:
        """Return its status and output, whatever the status.

        Raises:
            Unreachable: it did not end in time.
            EnvironmentFault: it does not exist.
        """
        try:
            done = process.run(
                argv, timeout_seconds=timeout_seconds, input_text=input_text, check=False
            )
        except CommandError as exc:
            # Without a status: it was stopped because its time was over.
            raise Unreachable(exc.message, system=argv[0], hint=exc.hint) from exc
        return Executed(status=done.status, stdout=done.stdout, stderr=done.stderr)


class PodRunner:
    """Runs programs in a container of a Pod, as the container's user.

    Args:
        kube: the Pod's cluster.
        namespace: of the Pod.
        pod: its name.
        container: of the Pod; its default one when absent. It needs Slurm's commands, a sack
            socket, and python3 for the programs that read an input.
    """

    def __init__(
        self, kube: Kube, *, namespace: str, pod: str, container: str | None = None
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._pod = pod
        self._container = container

    def __call__(
        self, argv: Sequence[str], *, timeout_seconds: float, input_text: str = ""
    ) -> Executed:
        """Return its status and output, whatever the status.

        Raises:
            InputError: the input is longer than an argument may be.
            RemoteError: Kubernetes does not answer, refuses, or has no such Pod.
        """
        if len(input_text.encode(errors="surrogateescape")) > INPUT_BYTES_MAX:
            raise InputError(
                f"run {argv[0]} in Pod {self._namespace}/{self._pod}: its input has more than "
                f"{INPUT_BYTES_MAX} bytes",
                hint="run it on a machine with Slurm's commands, or go over slurmrestd",
            )
        words = ["python3", "-c", _FEED, input_text, *argv] if input_text else list(argv)
        return self._kube.execute(
            self._pod,
            self._namespace,
            words,
            container=self._container,
            within_seconds=timeout_seconds,
        )
