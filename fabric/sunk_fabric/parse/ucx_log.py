"""UCX's own log, read by ``sunk_jobs.networks.ucx_log``."""

from __future__ import annotations

from sunk_fabric.parse.text import Content, Parsed, Reader
from sunk_jobs.networks import ucx_log
from sunk_jobs.networks.ucx_log import UcxLog

LINE_LIMIT = 65_536
"""Characters: a configuration names every lane of an endpoint."""


def parse(content: Content) -> Parsed[UcxLog]:
    """Return what the log says; a text without one line of UCX's is damage.

    Lines of the program stand between UCX's and are no fault of either.
    """
    reader = Reader(content, line_limit=LINE_LIMIT)
    log = ucx_log.read(reader)
    if not log.lines:
        reader.damaged("no line of UCX's: UCX_LOG_LEVEL was not info")
    return reader.outcome(log)
