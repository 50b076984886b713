"""``fio --output-format=json``: how fast files were read and written."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sunk_fabric.parse import json_text
from sunk_fabric.parse.text import Content, Parsed


class Direction(msgspec.Struct, frozen=True, kw_only=True):
    """Reads, or writes.

    Attributes:
        io_bytes: how many bytes.
        bw_bytes: bytes per second.
        runtime: in milliseconds.
    """

    io_bytes: int = 0
    bw_bytes: float = 0.0
    runtime: float = 0.0


class Job(msgspec.Struct, frozen=True, kw_only=True, rename={"options": "job options"}):
    """One job, or several that report together.

    Attributes:
        jobname: as the user calls it.
        groupid: jobs of one group run at the same time.
        error: of the system's; 0 for none.
        options: of this job.
        read: what it read.
        write: what it wrote.
    """

    jobname: str = ""
    groupid: int = 0
    error: int = 0
    options: Mapping[str, str] = {}
    read: Direction = Direction()
    write: Direction = Direction()


class Run(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"version": "fio version", "options": "global options"},
):
    """One run.

    Attributes:
        version: of fio.
        options: of all jobs.
        jobs: in order.
    """

    version: str = ""
    options: Mapping[str, str] = {}
    jobs: tuple[Job, ...] = ()


def parse(content: Content) -> Parsed[Run]:
    """Return the run; one without jobs is damage."""
    parsed = json_text.decode(content, Run, Run())
    if parsed.sound and not (parsed.value.jobs and parsed.value.version):
        words = ("there is no job in it",)
        return Parsed(value=Run(), lines=parsed.lines, unknown=0, quoted=(), damage=words)
    return parsed
