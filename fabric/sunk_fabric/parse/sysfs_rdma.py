"""What ``python -m sunk_jobs.sysfs_rdma`` printed on a host."""

from __future__ import annotations

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed
from sunk_jobs.sysfs_rdma import Snapshot


def parse(content: Content) -> Parsed[Snapshot]:
    """Return the snapshot; a host without RDMA gives an empty one that is sound."""
    return json_text.decode(content, Snapshot, Snapshot())
