"""Ways to hosts for `sunk fabric collect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from sunk.clients.process import Conversation
from sunk.clients.ssh_config import Logins, Overrides
from sunk.clients.ssh_shells import SshShells
from sunk.model.reach import Over
from sunk_fabric.collect.transport import Local, OverSsh, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings:
    """How to log in.

    Attributes:
        config: OpenSSH's client configuration; the user's own when absent.
        overrides: what wins over it.
        agent: whether keys of an agent are offered.
        step_seconds: the longest that each step of a login may take.
    """

    config: Path | None = None
    overrides: Overrides
    agent: bool = True
    step_seconds: float = 10.0


def way(over: Over, ssh: SshSettings) -> Transport:
    """Return the way to hosts.

    Raises:
        ConfigError: a configuration cannot be read.
    """
    match over:
        case Over.SSH:
            shells = SshShells(within_seconds=ssh.step_seconds, use_agent=ssh.agent)
            return OverSsh(Logins(ssh.config, ssh.overrides), shells)
        case Over.LOCAL:
            return Local(start=lambda: Conversation(("/bin/sh",)))
        case _:
            assert_never(over)
