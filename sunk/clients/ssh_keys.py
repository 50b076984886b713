"""Keys that a user logs in with: files and an agent's, each read once for all hosts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko

from sunk.clients.ssh_config import Login
from sunk.errors import NotReached, clip
from sunk.model.reach import Reason

SYSTEM = "ssh"


class UserKeys:
    """Logs in with keys; may be used by many threads at once.

    A file that is locked by a passphrase is passed over, and named when no other key helped: its
    place is an agent.
    """

    def __init__(self, *, use_agent: bool) -> None:
        self._lock = threading.Lock()
        # One socket leads to the agent, and answers would get mixed up.
        self._agent_lock = threading.Lock()
        self._use_agent = use_agent
        self._agent_keys: tuple[paramiko.AgentKey, ...] | None = None
        self._files: dict[Path, paramiko.PKey | str] = {}

    def log_in(self, transport: paramiko.Transport, login: Login, what: str) -> None:
        """Offer keys one after the other until one is taken.

        Raises:
            NotReached: none is, or the connection broke.
        """
        said: list[str] = []
        try:
            for key in self._of(login, said):
                if self._offered(transport, login.user, key, said):
                    return
        except (paramiko.SSHException, OSError, EOFError) as exc:
            said.append(clip(str(exc)) or "the connection ended")
        words = "; ".join(dict.fromkeys(said)) or "there is no key to log in with"
        raise NotReached(
            f"{what}: {words}",
            reason=Reason.LOGIN,
            system=SYSTEM,
            hint=f"does this work: ssh {login.name} true",
        )

    def _offered(
        self, transport: paramiko.Transport, user: str, key: paramiko.PKey, said: list[str]
    ) -> bool:
        lock = self._agent_lock if isinstance(key, paramiko.AgentKey) else threading.Lock()
        try:
            with lock:
                more = transport.auth_publickey(user, key)
        except paramiko.AuthenticationException as exc:
            if not transport.is_active():
                raise
            timed_out = "timeout" in str(exc).lower()
            said.append("no answer to a key" if timed_out else "its keys were refused")
            return False
        if more:
            said.append(f"it also wants {', '.join(more)}")
        return not more

    def _of(self, login: Login, said: list[str]) -> Iterator[paramiko.PKey]:
        for file in login.keys:
            found = self._file(file)
            if isinstance(found, paramiko.PKey):
                yield found
            elif found:
                said.append(found)
        if self._use_agent and not login.only_keys:
            yield from self._agents()

    def _file(self, file: Path) -> paramiko.PKey | str:
        """Return a key, or why there is none; empty for a file that is not there."""
        with self._lock:
            if file not in self._files:
                self._files[file] = _read(file.expanduser())
            return self._files[file]

    def _agents(self) -> tuple[paramiko.AgentKey, ...]:
        with self._lock:
            if self._agent_keys is None:
                try:
                    self._agent_keys = paramiko.Agent().get_keys()
                except (paramiko.SSHException, OSError):
                    self._agent_keys = ()
            return self._agent_keys


def _read(file: Path) -> paramiko.PKey | str:
    try:
        return paramiko.PKey.from_path(file)
    except FileNotFoundError:
        return ""
    except (paramiko.PasswordRequiredException, TypeError):
        # TypeError is what the cryptography library says where paramiko does not ask itself.
        return f"{file} has a passphrase: load it into an agent"
    except (OSError, ValueError, paramiko.SSHException) as exc:
        return f"read key {file}: {clip(str(exc))}"
