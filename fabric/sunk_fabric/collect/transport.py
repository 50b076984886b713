"""Ways to a host, behind one protocol; concrete clients are given by whoever builds one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sunk.clients.shells import Shell
from sunk.clients.ssh_config import Logins
from sunk.clients.ssh_shells import SshShells
from sunk.errors import ConfigError, EnvironmentFault, NotReached
from sunk.model.reach import Reason, is_address


class Transport(Protocol):
    """A way to hosts; used by many threads at once."""

    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that it knows of by itself; none for those that must be told."""

    def over(self, host: str) -> str:
        """Return how a host is reached, in words for the record: ``ssh``, ``exec``."""

    def check(self, hosts: tuple[str, ...]) -> None:
        """Refuse what cannot work, before anything is made.

        Raises:
            SunkError: a host cannot be asked this way, or its configuration is wrong.
        """

    def prepare(self, hosts: tuple[str, ...]) -> None:
        """Make ready what these hosts need.

        Raises:
            SunkError: nothing can be asked at all.
        """

    def open(self, host: str) -> Shell:
        """Start a shell on a host.

        Raises:
            NotReached: with the step that failed.
        """

    def is_named(self, host: str, called: str) -> bool:
        """Return whether a host that calls itself so may be the one that is meant."""

    def is_pod(self, host: str) -> bool:
        """Return whether it is a Pod in its own right, asked for what it was given alone."""

    def close(self) -> None:
        """Undo what was made ready, whatever happened."""


@dataclass(frozen=True, slots=True)
class OverSsh:
    """Hosts over SSH.

    Attributes:
        logins: where names lead.
        shells: the client.
    """

    logins: Logins
    shells: SshShells

    def hosts(self) -> tuple[str, ...]:
        """Return nothing: hosts have to be told."""
        return ()

    def over(self, host: str) -> str:
        """Return ``ssh``, and through which hosts."""
        jumps = self.logins.of(host).jumps
        return f"ssh through {', '.join(one.name for one in jumps)}" if jumps else "ssh"

    def check(self, hosts: tuple[str, ...]) -> None:
        """Read where every host leads."""
        for host in hosts:
            self.logins.of(host)

    def prepare(self, hosts: tuple[str, ...]) -> None:
        """Nothing to make ready."""

    def open(self, host: str) -> Shell:
        """Log in, and start a shell."""
        return self.shells.open(self.logins.of(host))

    def is_named(self, host: str, called: str) -> bool:
        """Compare first labels; an address is any host's."""
        return is_address(host) or same_host(host, called)

    def is_pod(self, host: str) -> bool:  # noqa: ARG002 - none is
        """Return False."""
        return False

    def close(self) -> None:
        """Close what is kept."""
        self.shells.close()


@dataclass(frozen=True, slots=True)
class Local:
    """This machine.

    Attributes:
        start: starts a shell here.
        name: of this machine.
    """

    start: Callable[[], Shell]
    name: str = field(default_factory=socket.gethostname)

    def hosts(self) -> tuple[str, ...]:
        """Return this machine's name."""
        return (self.name,)

    def over(self, host: str) -> str:  # noqa: ARG002 - there is one host
        """Return ``local``."""
        return "local"

    def check(self, hosts: tuple[str, ...]) -> None:
        """Refuse other machines.

        Raises:
            ConfigError: another name than this machine's.
        """
        for host in hosts:
            if host != self.name:
                raise ConfigError(
                    f"ask {host} without a connection: this machine is {self.name}",
                    hint="leave out the names, or use --over ssh",
                )

    def prepare(self, hosts: tuple[str, ...]) -> None:
        """Nothing to make ready."""

    def open(self, host: str) -> Shell:
        """Start a shell here."""
        try:
            return self.start()
        except EnvironmentFault as exc:
            raise NotReached(
                f"start a shell on {host}: {exc.message}", reason=Reason.SHELL, system="process"
            ) from exc

    def is_named(self, host: str, called: str) -> bool:  # noqa: ARG002 - there is one host
        """Return True: it is this machine, whatever it calls itself."""
        return True

    def is_pod(self, host: str) -> bool:  # noqa: ARG002 - it is none
        """Return False."""
        return False

    def close(self) -> None:
        """Nothing to undo."""


def same_host(one: str, other: str) -> bool:
    """Return whether two names have the same first label, whatever the case."""
    first, second = (name.partition(".")[0].lower() for name in (one, other))
    return first == second and first != ""
