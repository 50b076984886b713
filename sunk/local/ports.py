"""Loopback ports of the machine that nobody listens on."""

from __future__ import annotations

import socket
from collections.abc import Collection

from sunk.errors import EnvironmentFault

PORTS_TRIED = 200
_LAST = 65535


def free_port(first: int, *, without: Collection[int] = ()) -> int:
    """Return the first loopback port from `first` on that nobody listens on.

    Args:
        first: where to begin.
        without: ports that are promised to others.

    Raises:
        EnvironmentFault: all that were tried are taken.
    """
    last = min(first + PORTS_TRIED - 1, _LAST)
    for port in range(first, last + 1):
        if port not in without and _is_free(port):
            return port
    raise EnvironmentFault(
        f"find a free loopback port: all from {first} to {last} are taken",
        hint="ss -ltnp shows who listens on them",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
