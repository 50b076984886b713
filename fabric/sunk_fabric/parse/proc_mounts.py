"""/proc/mounts: what is mounted where, and with which options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sunk_fabric.parse.text import Content, Parsed, Reader

_LINE = re.compile(r"(\S{1,1000}) (/\S{0,1000}) ([\w.-]{1,40}) (\S{1,4000}) \d \d")
RDMA_NIDS = ("@o2ib", "@kfi")
"""Networks of Lustre that use RDMA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount.

    Attributes:
        source: server or device.
        kind: ``nfs4``, ``lustre``, ``wekafs``.
        options: in the kernel's words.
    """

    source: str
    kind: str
    options: frozenset[str]

    @property
    def transport(self) -> str:
        """Return ``rdma`` or ``tcp``; empty where the mount does not say."""
        if "proto=rdma" in self.options or "rdma" in self.options:
            return "rdma"
        if any(one in self.source for one in RDMA_NIDS):
            return "rdma"
        if "@tcp" in self.source or self.options & {"proto=tcp", "proto=tcp6", "tcp"}:
            return "tcp"
        return ""


def parse(content: Content) -> Parsed[Mapping[str, Mount]]:
    """Return mount point -> what is there; of several the last, which hides the others."""
    reader = Reader(content, line_limit=LINE_LIMIT)
    found: dict[str, Mount] = {}
    for line in reader:
        match = _LINE.fullmatch(line)
        if match is None:
            reader.unknown(line)
        else:
            found[match[2]] = Mount(
                source=match[1], kind=match[3], options=frozenset(match[4].split(","))
            )
    return reader.outcome(found)


LINE_LIMIT = 16_384
