"""How hosts are reached, and why one could not be asked."""

from __future__ import annotations

import ipaddress
from enum import StrEnum


class Over(StrEnum):
    """How hosts are reached."""

    SSH = "ssh"
    LOCAL = "local"
    KUBERNETES = "kubernetes"


class Reason(StrEnum):
    """The step at which reaching a host failed, in words for people."""

    NAME = "name not known"
    NO_ROUTE = "no route"
    REFUSED = "connection refused"
    TIMED_OUT = "timed out"
    BANNER = "no SSH banner"
    HOST_KEY_UNKNOWN = "host key unknown"
    HOST_KEY_CHANGED = "host key changed"
    LOGIN = "login refused"
    JUMP = "jump host not reached"
    OTHER_HOST = "answers as another host"
    NO_POD = "no Pod"
    EXEC = "exec refused"
    SHELL = "no shell"
    LOST = "connection lost"


def is_address(host: str) -> bool:
    """Return whether a host is given by its IP address, which may name a zone: ``fe80::1%eth0``."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
