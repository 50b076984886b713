"""NCCL's own log, read by ``sunk_jobs.networks.nccl_log``."""

from __future__ import annotations

from sunk_fabric.parse.text import Content, Parsed, Reader
from sunk_jobs.networks import nccl_log
from sunk_jobs.networks.nccl_log import NcclLog

LINE_LIMIT = 65_536
"""Characters: environment lines hold whole lists of hosts."""


def parse(content: Content) -> Parsed[NcclLog]:
    """Return what the log says; a text without one line of NCCL's is damage.

    Lines of the program stand between NCCL's and are no fault of either.
    """
    reader = Reader(content, line_limit=LINE_LIMIT)
    log = nccl_log.read(reader)
    if not log.lines:
        reader.damaged("no line of NCCL's: NCCL_DEBUG was not INFO")
    return reader.outcome(log)
