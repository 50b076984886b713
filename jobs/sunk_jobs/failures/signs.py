"""What lines of logs say about a failure; pure.

A sign is a line that means something: a class of failure, or teardown, which never is the cause.
Texts are those of NCCL 2.18 to 2.30, PyTorch 2, Linux and Slurm; what is not known is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

TEXT_LIMIT = 160
"""Characters of a line that are kept."""


class Sign(StrEnum):
    """What a line speaks of; in the order in which they are believed."""

    GPU = "GPU hardware"
    FABRIC = "fabric"
    HOST_MEMORY = "host out of memory"
    GPU_MEMORY = "GPU out of memory"
    STORAGE_FULL = "storage full"
    STORAGE = "storage error"
    NOT_FINITE = "loss not finite"
    NO_PROGRAM = "program not found"
    EXCEPTION = "exception"
    TIMEOUT = "collective timed out"
    TEARDOWN = "teardown"


CONSEQUENCES = frozenset({Sign.TIMEOUT, Sign.TEARDOWN})
"""Never a cause: somebody else was missing first."""

_LAST_WORDS = re.compile(
    r"^(?:\[rank\d+\]: ?)?([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt))\b"
)
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):")
# Teardown before what it resembles: an abort is told in words of the network and of exceptions.
_PATTERNS = (
    (Sign.TIMEOUT, r"Watchdog caught collective operation timeout|Timed out waiting \d+ms for"),
    (
        Sign.GPU,
        r"\bXid\b[^\n]{0,80}?[:,] ?(?:48|63|64|74|79|94|95)\b|fallen off the bus"
        r"|uncorrectable (?:NVLink|ECC) error|CUDA error: (?:an )?uncorrectable",
    ),
    (
        Sign.FABRIC,
        r"with status[= ]12\b|transport retry counter exceeded|IBV_WC_RETRY_EXC_ERR"
        r"|IB async event: port error|Got async event : port error"
        r"|IMEX[^\n]{0,40}(?:fail|fault|unavailable)|No usable GID",
    ),
    (
        Sign.HOST_MEMORY,
        r"\boom[-_]kill\b|Out of memory: Killed process|Exceeded job memory limit|OUT_OF_MEMORY",
    ),
    (Sign.GPU_MEMORY, r"CUDA out of memory|\bOutOfMemoryError\b|CUDA error: out of memory"),
    (Sign.STORAGE_FULL, r"No space left on device|Disk quota exceeded"),
    (Sign.STORAGE, r"\bInput/output error\b|Stale file handle"),
    (Sign.NOT_FINITE, r"\bloss (?:is|of step \d+ is) (?:not finite|nan|inf)\b"),
    # As slurmstepd, bash and Python print it when there is nothing to start.
    (
        Sign.NO_PROGRAM,
        r"execve\(\): [^\n]{1,200}: No such file or directory$"
        r"|\bline \d+: [^\n]{1,200}: (?:command )?not found$"
        r"|^[^\n]{1,200}: cannot execute: required file not found$"
        r"|can't open file '[^']*': \[Errno 2\]|python[\d.]*: No module named \S+$"
        r"|^(?:/\S*)?/(?:bash|sh): \S+: No such file or directory$",
    ),
    (
        Sign.TEARDOWN,
        r"communicator was aborted|ncclRemoteError|remote process exited"
        r"|Connection (?:reset|closed|refused) by (?:remote )?peer|Broken ?[Pp]ipe"
        r"|Connection(?:Refused|Reset|Aborted)?Error\b|\bTimeoutError\b|Socket Timeout"
        r"|closing signal SIGTERM|Received \d+ death signal|ChildFailedError|SignalException"
        r"|\bDist\w*Error\b|Rendezvous\w*Error|\bgloo\b|StoreTimeout"
        r"|ncclInternalError|ncclSystemError|Terminated$",
    ),
)
_COMPILED = tuple((sign, re.compile(pattern)) for sign, pattern in _PATTERNS)
_ISO = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?")
_GLOG = re.compile(r"\[[EWIF](\d\d)(\d\d) (\d\d:\d\d:\d\d)\.(\d{1,9})")


@dataclass(frozen=True)
class Found:
    """A sign in a log.

    Attributes:
        sign: what it speaks of.
        text: the line, shortened.
        time: when it was written, in s since the epoch by the host's clock, its zone taken for
            this machine's; None where the line does not say.
        place: number of the line, from 0.
    """

    sign: Sign
    text: str
    time: float | None
    place: int


def signs(lines: Iterable[str], year: int) -> Iterator[Found]:
    """Yield the signs in a log, in its order; of a traceback only its last line.

    Args:
        lines: of one log; the first and the last may be torn.
        year: when it was written: some lines have no year.
    """
    inside = False
    for place, line in enumerate(lines):
        if _TRACEBACK.search(line):
            inside = True
            continue
        sign = _sign(line)
        last = _LAST_WORDS.match(line) if inside else None
        if last is not None:
            inside = False
            sign = sign or Sign.EXCEPTION
        if sign is not None:
            text = " ".join(line.split())
            short = text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
            yield Found(sign=sign, text=short, time=time_of(line, year), place=place)


def time_of(line: str, year: int) -> float | None:
    """Return the time that a line starts with, or None."""
    head = line[:80]
    try:
        if found := _ISO.search(head):
            day, clock, part = found.groups()
        elif found := _GLOG.search(head):
            month, date, clock, part = found.groups()
            day = f"{year:04}-{month}-{date}"
        else:
            return None
        whole = datetime.fromisoformat(f"{day}T{clock}").astimezone().timestamp()
        return whole + float(f"0.{part or 0}")
    except ValueError:
        return None


def _sign(line: str) -> Sign | None:
    return next((sign for sign, pattern in _COMPILED if pattern.search(line)), None)
