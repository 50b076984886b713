"""Shells on many hosts over SSH (paramiko): verified host keys, jump hosts, every step timed.

Connections to jump hosts are kept and shared; those to hosts are their shell's and end with it. A
host key that no known_hosts file has is refused and never learned on the way.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import paramiko

from sunk.clients import known_hosts
from sunk.clients.known_hosts import KnownHosts, Trust
from sunk.clients.shells import Heard
from sunk.clients.ssh_config import Login
from sunk.clients.ssh_keys import UserKeys
from sunk.errors import NotReached, Unreachable, clip
from sunk.model.reach import Reason

SYSTEM = "ssh"
COMMAND = "exec /bin/sh"
"""What is run on a host: the user's own shell, which may be any, makes place for a POSIX one."""
_CHUNK_BYTES = 1 << 18
_CLOSE_SECONDS = 2.0
_RSA = ("rsa-sha2-512", "rsa-sha2-256")

# paramiko logs what it also raises; without a handler, Python would print that on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class SshShells:
    """Opens shells; may be used by many threads at once.

    Args:
        within_seconds: the longest that each step may take: the TCP connection, the banner, the
            exchange of keys, each way to log in, and the start of a shell.
        use_agent: whether keys of an agent are offered.
    """

    def __init__(self, *, within_seconds: float, use_agent: bool = True) -> None:
        self._within_seconds = within_seconds
        self._keys = UserKeys(use_agent=use_agent)
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, ...], KnownHosts] = {}
        self._jumps: dict[tuple[Login, ...], paramiko.Transport] = {}
        self._jump_locks: dict[tuple[Login, ...], threading.Lock] = {}

    def close(self) -> None:
        """Close the connections to jump hosts."""
        with self._lock:
            kept, self._jumps = tuple(self._jumps.values()), {}
        for one in reversed(kept):
            one.close()

    def open(self, login: Login) -> SshShell:
        """Log in and start a shell.

        Raises:
            NotReached: with the step that failed.
        """
        what = f"log in to {login}"
        with ExitStack() as undo:
            transport = self._connect(login, self._jump(login.jumps), what)
            undo.callback(_hang_up, transport)
            with _explained(what, Reason.SHELL):
                channel = transport.open_session(timeout=self._within_seconds)
                channel.settimeout(self._within_seconds)
                channel.exec_command(COMMAND)
            undo.pop_all()
        return SshShell(transport, channel, str(login))

    def _jump(self, way: tuple[Login, ...]) -> paramiko.Transport | None:
        """Return the kept connection to the last of these hosts, made through those before it."""
        if not way:
            return None
        with self._lock:
            lock = self._jump_locks.setdefault(way, threading.Lock())
        with lock:
            kept = self._jumps.get(way)
            if kept is not None and kept.is_active():
                return kept
            what = f"log in to jump host {way[-1]}"
            try:
                made = self._connect(way[-1], self._jump(way[:-1]), what)
            except NotReached as exc:
                raise NotReached(
                    exc.message, reason=Reason.JUMP, system=SYSTEM, hint=exc.hint
                ) from exc
            made.set_keepalive(30)
            with self._lock:
                self._jumps[way] = made
            return made

    def _connect(
        self, login: Login, through: paramiko.Transport | None, what: str
    ) -> paramiko.Transport:
        with ExitStack() as undo:
            sock = self._socket(login, through, what)
            undo.callback(sock.close)
            with _explained(what, Reason.BANNER):
                transport = paramiko.Transport(sock)
            undo.callback(_hang_up, transport)
            transport.banner_timeout = transport.handshake_timeout = self._within_seconds
            transport.auth_timeout = transport.channel_timeout = self._within_seconds
            known = self._known_hosts(login.known_hosts)
            _prefer(transport, known.kinds(login.trusted_as or login.address, login.port))
            _verify(self._shown_key(transport, what), login, known, what)
            self._keys.log_in(transport, login, what)
            undo.pop_all()
        return transport

    def _shown_key(self, transport: paramiko.Transport, what: str) -> paramiko.PKey:
        """Exchange keys, and return the host's."""
        try:
            transport.start_client(timeout=self._within_seconds)
            # Out of time, the library returns as if all were well, and this is what it says then.
            return transport.get_remote_server_key()
        except (paramiko.SSHException, OSError, EOFError) as exc:
            if not transport.remote_version:
                reason, words = Reason.BANNER, "it does not begin to speak SSH"
            else:
                reason, words = Reason.TIMED_OUT, "keys were not exchanged in time"
                if not isinstance(exc, paramiko.SSHException) or not transport.is_active():
                    reason, words = Reason.LOST, f"exchange keys: {clip(str(exc))}"
            raise NotReached(f"{what}: {words}", reason=reason, system=SYSTEM) from exc

    def _socket(
        self, login: Login, through: paramiko.Transport | None, what: str
    ) -> socket.socket | paramiko.Channel:
        place = (login.address, login.port)
        if through is None:
            with _explained(what, Reason.NO_ROUTE):
                return socket.create_connection(place, timeout=self._within_seconds)
        with _explained(what, Reason.NO_ROUTE):
            return through.open_channel(
                "direct-tcpip", place, ("127.0.0.1", 0), timeout=self._within_seconds
            )

    def _known_hosts(self, files: tuple[Path, ...]) -> KnownHosts:
        with self._lock:
            if files not in self._known:
                self._known[files] = known_hosts.read(files)
            return self._known[files]


class SshShell:
    """A shell on one host, with its connection."""

    def __init__(
        self, transport: paramiko.Transport, channel: paramiko.Channel, place: str
    ) -> None:
        self._transport = transport
        self._channel = channel
        self._place = place
        self._poll = select.poll()
        # Readable whenever either stream has something, or the channel ends.
        self._poll.register(channel.fileno(), select.POLLIN)

    def send(self, text: bytes) -> None:
        """Write to the shell's standard input.

        Raises:
            Unreachable: the connection is lost, or nothing is taken in time.
        """
        try:
            self._channel.sendall(text)
        except (paramiko.SSHException, OSError, EOFError) as exc:
            raise self._lost(clip(str(exc)) or "the connection ended") from exc

    def receive(self, within_seconds: float) -> Heard:
        """Return what the shell said, as soon as there is some.

        Raises:
            Unreachable: the connection is lost, and all that was said was returned.
        """
        channel = self._channel
        if not (channel.recv_ready() or channel.recv_stderr_ready()):
            if channel.closed or channel.eof_received:
                raise self._lost("the connection ended")
            self._poll.poll(max(0.0, within_seconds) * 1000)
        out = channel.recv(_CHUNK_BYTES) if channel.recv_ready() else b""
        err = channel.recv_stderr(_CHUNK_BYTES) if channel.recv_stderr_ready() else b""
        return Heard(out, err)

    def close(self) -> None:
        """End the shell and its connection."""
        with suppress(paramiko.SSHException, OSError, EOFError):
            self._channel.close()
        _hang_up(self._transport)

    def _lost(self, cause: str) -> Unreachable:
        return Unreachable(f"talk to {self._place}: {cause}", system=SYSTEM)


def _hang_up(transport: paramiko.Transport) -> None:
    """Close a connection, and wait until it is: the next one must not add to those that are open.

    The library's thread may be reading from the socket, which stays open for as long.
    """
    transport.close()
    transport.sock.close()
    if transport.is_alive():
        transport.join(_CLOSE_SECONDS)


def _prefer(transport: paramiko.Transport, kinds: tuple[str, ...]) -> None:
    """Ask for keys of the kinds that the host is known by first, as OpenSSH does."""
    options = transport.get_security_options()
    wanted = [algorithm for kind in kinds for algorithm in (_RSA if kind == "ssh-rsa" else (kind,))]
    offered = [*options.key_types]
    first = [one for one in wanted if one in offered]
    options.key_types = (*first, *(one for one in offered if one not in first))


def _verify(key: paramiko.PKey, login: Login, known: KnownHosts, what: str) -> None:
    name, kind = login.trusted_as or login.address, key.get_name()
    match known.trust(name, login.port, kind, key.get_base64()):
        case Trust.KNOWN:
            return
        case Trust.UNKNOWN:
            port = "" if login.port == 22 else f"-p {login.port} "
            files = " ".join(str(one) for one in login.known_hosts[:1])
            words = f"no known_hosts file has its {kind} key {key.fingerprint}"
            if known.has_authority(name, login.port):
                words += "; one has a certificate authority for it, which is not asked here"
            raise NotReached(
                f"{what}: {words}",
                reason=Reason.HOST_KEY_UNKNOWN,
                system=SYSTEM,
                hint=f"compare it with what its console says, then ssh-keyscan {port}{name}"
                f" >> {files}",
            )
        case Trust.CHANGED:
            words = f"it shows {kind} key {key.fingerprint}, and another one is known"
        case Trust.REVOKED:
            words = f"its {kind} key {key.fingerprint} is revoked"
    raise NotReached(
        f"{what}: {words}",
        reason=Reason.HOST_KEY_CHANGED,
        system=SYSTEM,
        hint="another machine may answer at this address; if the host was made anew, ssh-keygen -R"
        f" {known_hosts.entry_name(name, login.port)}",
    )


_ERRNO = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ETIMEDOUT: Reason.TIMED_OUT,
    errno.EHOSTUNREACH: Reason.NO_ROUTE,
    errno.ENETUNREACH: Reason.NO_ROUTE,
    errno.ECONNRESET: Reason.LOST,
    errno.EPIPE: Reason.LOST,
}
_OPEN_FAILED = {1: Reason.JUMP, 2: Reason.NO_ROUTE, 4: Reason.JUMP}
"""Codes of a channel that a jump host refuses, RFC 4254 5.1: prohibited, connect failed, short of
resources. Why it could not connect is said to its own log alone."""


def _reason(error: Exception, otherwise: Reason) -> Reason:
    match error:
        case socket.gaierror():
            return Reason.NAME
        case TimeoutError():
            return Reason.TIMED_OUT
        case paramiko.ChannelException():
            return _OPEN_FAILED.get(error.code, otherwise)
        case OSError():
            return _ERRNO.get(error.errno or 0, otherwise)
        case _:
            return otherwise


@contextmanager
def _explained(what: str, otherwise: Reason) -> Iterator[None]:
    """Turn what the library raises into the step that failed."""
    try:
        yield
    except (paramiko.SSHException, OSError, EOFError) as exc:
        reason = _reason(exc, otherwise)
        cause = clip(str(exc)) or str(reason)
        raise NotReached(f"{what}: {cause}", reason=reason, system=SYSTEM) from exc
