"""Commands and files on other machines over SSH (paramiko); host keys are always verified.

A connection is kept and used for many commands. An unknown or changed host key is refused, never
learned on the way: who makes a host also says what its key is.
"""

from __future__ import annotations

import base64
import binascii
import shlex
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import paramiko

from sunk.errors import NotFound, Unauthorized, UnexpectedReply, Unreachable, clip

SYSTEM = "ssh"
_CONNECT_SECONDS = 15.0
_TRIES = 3
_PAUSE_SECONDS = 1.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where and as whom to log in.

    Attributes:
        host: address or name.
        port: TCP port.
        user: login name.
        key_file: private key in OpenSSH form.
        host_key: the host's public key, ``ssh-ed25519 AAAA…``.
    """

    host: str
    port: int
    user: str
    key_file: Path
    host_key: str

    def __str__(self) -> str:
        """Return ``user@host:port``."""
        return f"{self.user}@{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a remote command."""

    status: int
    stdout: str
    stderr: str


class Ssh:
    """A kept connection to one host; use it as a context manager.

    Args:
        target: where to log in.
        open_socket: makes the connection; a plain TCP connection when absent. Lets SSH run
            through a port forward of the Kubernetes API.
    """

    def __init__(
        self, target: Target, open_socket: Callable[[], socket.socket] | None = None
    ) -> None:
        self.target = target
        self._open_socket = open_socket
        self._client: paramiko.SSHClient | None = None

    def __enter__(self) -> Ssh:
        """Connect.

        Raises:
            Unreachable: no connection, or the host does not speak SSH.
            Unauthorized: another host key than expected, or the user's key was refused.
        """
        self._connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def run(
        self,
        argv: Sequence[str],
        *,
        within_seconds: float,
        input_text: str = "",
        on_output: Callable[[str], None] | None = None,
    ) -> Ended:
        """Run a command to its end; words are quoted for the remote shell.

        Args:
            argv: program and arguments.
            within_seconds: the longest it may take.
            input_text: its standard input.
            on_output: told each complete line of stdout as it comes.

        Raises:
            Unreachable: the connection broke, or the time is over.
        """
        command = shlex.join(argv)
        what = f"run {clip(command, 80)!r} on {self.target}"
        deadline = time.monotonic() + within_seconds
        try:
            channel = self._transport().open_session(timeout=within_seconds)
            channel.exec_command(command)
            if input_text:
                channel.sendall(input_text.encode())
            channel.shutdown_write()
            out, err = _drain(channel, deadline, what, on_output)
            status = channel.recv_exit_status()
            channel.close()
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc
        return Ended(status=status, stdout=out, stderr=err)

    def read(self, path: str) -> bytes:
        """Return a remote file's content.

        Raises:
            NotFound: there is no such file.
        """
        what = f"read {path} on {self.target}"
        try:
            with self._sftp() as files, files.open(path, "rb") as source:
                return source.read()
        except FileNotFoundError as exc:
            raise NotFound(f"{what}: no such file", system=SYSTEM) from exc
        except (paramiko.SSHException, OSError) as exc:
            raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a remote file, whole or not at all."""
        what = f"write {path} on {self.target}"
        try:
            with self._sftp() as files:
                draft = f"{path}.draft"
                with files.open(draft, "wb") as sink:
                    sink.write(content)
                files.chmod(draft, mode)
                files.posix_rename(draft, path)
        except FileNotFoundError as exc:
            raise NotFound(f"{what}: no such folder", system=SYSTEM) from exc
        except (paramiko.SSHException, OSError) as exc:
            raise Unreachable(f"{what}: {clip(str(exc))}", system=SYSTEM) from exc

    def _sftp(self) -> paramiko.SFTPClient:
        client = paramiko.SFTPClient.from_transport(self._transport())
        if client is None:
            raise UnexpectedReply(f"open SFTP on {self.target}: refused", system=SYSTEM)
        return client

    def _transport(self) -> paramiko.Transport:
        transport = None if self._client is None else self._client.get_transport()
        if transport is None or not transport.is_active():
            raise Unreachable(f"use the connection to {self.target}: it is closed", system=SYSTEM)
        return transport

    def _connect(self) -> None:
        # A busy sshd hangs up on whom it has no room for (MaxStartups), before SSH begins.
        for tries in range(1, _TRIES + 1):
            try:
                self._client = self._logged_in(f"log in to {self.target}")
            except _HungUpError as exc:
                if tries == _TRIES:
                    raise Unreachable(f"{exc} ({_TRIES} times)", system=SYSTEM) from exc
                time.sleep(_PAUSE_SECONDS * tries)
            else:
                return

    def _logged_in(self, what: str) -> paramiko.SSHClient:
        target = self.target
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        kind, _, text = target.host_key.partition(" ")
        key = paramiko.PKey.from_type_string(kind, _decode(text, what))
        client.get_host_keys().add(_host_entry(target), kind, key)
        try:
            client.connect(
                target.host,
                port=target.port,
                username=target.user,
                pkey=_user_key(target.key_file, what),
                sock=None if self._open_socket is None else self._open_socket(),
                timeout=_CONNECT_SECONDS,
                banner_timeout=_CONNECT_SECONDS,
                auth_timeout=_CONNECT_SECONDS,
                allow_agent=False,
                look_for_keys=False,
            )
        except paramiko.BadHostKeyException as exc:
            raise Unauthorized(
                f"{what}: the host shows another key than the one it was given",
                system=SYSTEM,
                hint="another machine may answer at this address; do not go on before you know",
            ) from exc
        except paramiko.AuthenticationException as exc:
            raise Unauthorized(f"{what}: the key was refused", system=SYSTEM) from exc
        except (paramiko.SSHException, OSError, EOFError) as exc:
            unknown = "not found in known_hosts" in str(exc)
            if unknown:
                raise Unauthorized(
                    f"{what}: the host shows a key of another kind than the one it was given",
                    system=SYSTEM,
                ) from exc
            cause = clip(str(exc)) or "the connection was closed before SSH began"
            if isinstance(exc, EOFError) or "protocol banner" in cause:
                raise _HungUpError(f"{what}: {cause}") from exc
            raise Unreachable(f"{what}: {cause}", system=SYSTEM) from exc
        return client


class _HungUpError(Exception):
    """A server took the connection and did not begin to speak SSH."""


def known_hosts_line(target: Target) -> str:
    """Return the line for an OpenSSH known_hosts file."""
    return f"{_host_entry(target)} {target.host_key}\n"


def _host_entry(target: Target) -> str:
    return target.host if target.port == 22 else f"[{target.host}]:{target.port}"


def _decode(text: str, what: str) -> bytes:

    try:
        return base64.b64decode(text.split(maxsplit=1)[0], validate=True)
    except (binascii.Error, IndexError) as exc:
        raise Unauthorized(f"{what}: the expected host key is not readable", system=SYSTEM) from exc


def _user_key(path: Path, what: str) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException) as exc:
        raise Unauthorized(f"{what}: read key {path}: {clip(str(exc))}", system=SYSTEM) from exc


def _drain(
    channel: paramiko.Channel,
    deadline: float,
    what: str,
    on_output: Callable[[str], None] | None,
) -> tuple[str, str]:
    out, err = bytearray(), bytearray()
    told = 0
    while True:
        ended = channel.exit_status_ready()
        moved = False
        while channel.recv_ready():
            out += channel.recv(65536)
            moved = True
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(65536)
            moved = True
        if on_output is not None:
            told = _tell_lines(out, told, on_output)
        if ended and not moved and (channel.eof_received or channel.closed):
            return out.decode(errors="replace"), err.decode(errors="replace")
        if time.monotonic() > deadline:
            channel.close()
            raise Unreachable(f"{what}: no end in time", system=SYSTEM)
        if not moved:
            time.sleep(_POLL_SECONDS)


def _tell_lines(out: bytearray, told: int, on_output: Callable[[str], None]) -> int:
    """Tell the complete lines from `told` on; return how far it is told now."""
    end = out.rfind(b"\n") + 1
    if end > told:
        for line in out[told:end].decode(errors="replace").splitlines():
            on_output(line)
        return end
    return told
