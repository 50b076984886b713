"""Where ``ssh NAME`` would go: OpenSSH's client configuration, as far as a fan-out needs it.

Read are HostName, Port, User, IdentityFile, IdentitiesOnly, HostKeyAlias, UserKnownHostsFile,
GlobalKnownHostsFile and ProxyJump. ProxyCommand is refused by name: it would start a program.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paramiko

from sunk.clients.known_hosts import DEFAULT_FILES
from sunk.errors import ConfigError, clip

DEFAULT_FILE = Path("~/.ssh/config")
DEFAULT_KEYS = tuple(Path("~/.ssh") / name for name in ("id_ed25519", "id_ecdsa", "id_rsa"))
JUMPS_LIMIT = 5
"""Jump hosts one after the other; more is a circle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where and as whom to log in.

    Attributes:
        name: what the user calls the host.
        address: what is connected to.
        port: TCP port.
        user: login name.
        keys: files of private keys, in the order in which they are tried.
        only_keys: no keys of an agent.
        trusted_as: the name in known_hosts files.
        known_hosts: those files.
        jumps: hosts on the way, the first one first.
    """

    name: str
    address: str
    port: int
    user: str
    keys: tuple[Path, ...] = ()
    only_keys: bool = False
    trusted_as: str = ""
    known_hosts: tuple[Path, ...] = DEFAULT_FILES
    jumps: tuple[Login, ...] = ()

    def __str__(self) -> str:
        """Return ``user@address:port``, with the user's own name for it where that differs."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        place = f"{self.user}@{address}:{self.port}"
        return place if self.name == self.address else f"{self.name} ({place})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line says, which wins over files.

    Attributes:
        user: login name.
        keys: private keys; only these are tried.
        known_hosts: the only file of host keys.
        jump: jump hosts as ``[USER@]HOST[:PORT]``, by commas; an IPv6 address with a port in
            brackets.
    """

    user: str | None = None
    keys: tuple[Path, ...] = ()
    known_hosts: Path | None = None
    jump: str | None = None


class Logins:
    """Logins by name.

    Args:
        file: the configuration; when absent, the user's own, which need not exist.
        overrides: what wins over it.

    Raises:
        ConfigError: the file cannot be read, or not be understood.
    """

    def __init__(self, file: Path | None = None, overrides: Overrides | None = None) -> None:
        self._file = file or DEFAULT_FILE
        self._overrides = overrides or Overrides()
        # A look-up goes through the whole file, and each host is looked up several times.
        self._found: dict[str, Login] = {}
        try:
            text = self._file.expanduser().read_text()
        except FileNotFoundError as exc:
            if file is not None:
                raise ConfigError(f"read {file}: there is no such file") from exc
            text = ""
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"read {self._file}: {clip(str(exc))}") from exc
        with self._understanding():
            self._config = paramiko.SSHConfig.from_text(text)

    def of(self, name: str) -> Login:
        """Return where a name leads.

        Raises:
            ConfigError: the configuration is wrong for it, or wants a ProxyCommand.
        """
        if name not in self._found:
            self._found[name] = self._of(name, jump=self._overrides.jump, depth=0)
        return self._found[name]

    def _of(self, name: str, *, jump: str | None, depth: int) -> Login:
        if depth > JUMPS_LIMIT:
            raise ConfigError(f"find the way to {name}: more than {JUMPS_LIMIT} jump hosts")
        with self._understanding():
            found: Mapping[str, Any] = self._config.lookup(name)
            port = int(found.get("port", 22))
        if found.get("proxycommand", "none") != "none" and jump is None:
            raise ConfigError(
                f"find the way to {name}: {self._file} wants a ProxyCommand, which is not run here",
                hint="use ProxyJump there, or the option --jump",
            )
        files = _words(found, "userknownhostsfile") + _words(found, "globalknownhostsfile")
        only = self._overrides.known_hosts
        own = self._overrides.keys
        named = tuple(Path(one) for one in found.get("identityfile", ()))
        made = Login(
            name=name,
            address=str(found["hostname"]),
            port=port,
            user=self._overrides.user or str(found.get("user") or getpass.getuser()),
            keys=own or named or DEFAULT_KEYS,
            only_keys=bool(own) or found.get("identitiesonly") == "yes",
            trusted_as=str(found.get("hostkeyalias") or found["hostname"]),
            known_hosts=(only,) if only else tuple(map(Path, files)) or DEFAULT_FILES,
        )
        way = jump if jump is not None else str(found.get("proxyjump", "none"))
        return replace(made, jumps=self._jumps(way, depth)) if way not in {"none", ""} else made

    def _jumps(self, way: str, depth: int) -> tuple[Login, ...]:
        found: list[Login] = []
        for place in way.split(","):
            user, _, rest = place.strip().removeprefix("ssh://").rpartition("@")
            with self._understanding():
                name, port = _place(rest)
            # Jump hosts of the option are the whole way; those of the file may have their own.
            own = "none" if self._overrides.jump is not None or found else None
            one = self._of(name, jump=own, depth=depth + 1)
            user, port = user or one.user, port or one.port
            found += [*one.jumps, replace(one, user=user, port=port, jumps=())]
        return tuple(found)

    def _understanding(self) -> _Understanding:
        return _Understanding(self._file)


@dataclass(frozen=True, slots=True)
class _Understanding:
    """Turns what the library says of a wrong file into an error of ours."""

    file: Path

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Translate."""
        wrong = (paramiko.SSHException, ValueError, KeyError)
        if isinstance(error, wrong):
            raise ConfigError(f"read {self.file}: {clip(str(error))}") from error


def _place(text: str) -> tuple[str, int | None]:
    """Return host and port of ``HOST[:PORT]``; an IPv6 address with a port is in brackets.

    Raises:
        ValueError: the port is none, or the bracket is not closed.
    """
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or rest[:1] not in {"", ":"}:
            raise ValueError(f"{text!r} is not [HOST]:PORT")
        return name, int(rest[1:]) if rest else None
    if text.count(":") != 1:
        return text, None
    name, _, port = text.partition(":")
    return name, int(port)


def _words(found: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(found.get(key, "")).split())
