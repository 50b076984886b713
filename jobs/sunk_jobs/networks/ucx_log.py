"""Read UCX's own log: which transports and devices each process uses, and towards whom.

Needs runs with ``UCX_LOG_LEVEL=info``; ``UCX_LOG_FILE`` keeps the lines out of the program's
output. The lines are those of UCX 1.6 to 1.19 (src/ucp/core/ucp_worker.c, src/ucp/wireup): before
1.12 they do not say towards whom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sunk_jobs.networks import log_lines

FAULT_LIMIT = 1000
"""Lines about faults that are kept; their number is counted on."""
_MEMORY = frozenset(
    {"self", "sysv", "posix", "cma", "knem", "xpmem", "mm", "cuda_copy", "cuda_ipc"}
)


@dataclass(frozen=True, order=True)
class Lane:
    """A way of data.

    Attributes:
        scope: ``self``, ``intra-node``, ``inter-node``; empty when the log does not say.
        transport: ``rc_mlx5``, ``dc_mlx5``, ``ud_verbs``, ``tcp``, ``cma``.
        device: ``mlx5_0:1``, ``eth0``, ``memory``.
    """

    scope: str
    transport: str
    device: str

    @property
    def between_nodes(self) -> bool:
        """Return whether this leaves the node, as far as can be told."""
        return self.scope == "inter-node" or (not self.scope and self.transport not in _MEMORY)

    @property
    def rdma(self) -> bool:
        """Return whether the network card moves the data by itself."""
        return self.transport.startswith(("rc", "dc", "ud", "gga", "srd"))


@dataclass
class Process:
    """What one process said.

    Attributes:
        rank: from the label of its lines; None without one.
        lanes: its ways, each once.
        environment: UCX's variables that it took.
        faults: warnings and errors, shortened.
        fault_count: how many there were.
        unknown: lines of UCX that say nothing that is read here.
    """

    rank: int | None = None
    lanes: set[Lane] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    unknown: int = 0


@dataclass
class UcxLog:
    """A whole log.

    Attributes:
        version: ``1.15.0``; empty when the log does not say.
        processes: ``host:pid`` -> what it said.
        lines: UCX's own lines.
        foreign: lines of others.
    """

    version: str = ""
    processes: dict[str, Process] = field(default_factory=dict)
    lines: int = 0
    foreign: int = 0


_PREFIX = re.compile(
    r"\[\d{1,12}\.\d{1,9}\] \[([A-Za-z0-9_.-]{1,255}):(\d{1,10}) ?:\w{1,10}\] {1,40}"
    r"\S{1,60}:\d{1,6} {1,10}UCX {1,4}([A-Z]{1,10}) {1,10}(.*)"
)
_VERSION = re.compile(r"(?:UCP version is|Version) (\d[^ ]{0,40}).{0,400}")
_CONFIGURATION = re.compile(
    r"(?:\S{1,60} )?(?:(self|intra-node|inter-node) cfg#\d{1,6}|ep_cfg\[\d{1,6}\]:) ?(.{1,4000})"
)
_USE = re.compile(r"\b([a-z]{2,10})\(([^()]{0,2000})\)")
_LANE = re.compile(r"([A-Za-z0-9_]{1,40})/([A-Za-z0-9_.:<>-]{1,64})")
_VARIABLES = re.compile(r"UCX_\* env variables?: (.{1,4000})")
_VARIABLE = re.compile(r"(UCX_[A-Z0-9_]{1,60})=(\S{0,300})")
_FAULTY = frozenset({"ERROR", "WARN", "FATAL"})


def read(lines: Iterable[str]) -> UcxLog:
    """Return what a log says; memory grows with processes, not with lines."""
    log = UcxLog()
    for labelled in lines:
        rank, line = log_lines.without_label(labelled)
        found = _PREFIX.fullmatch(line)
        if found is None:
            log.foreign += 1
            continue
        log.lines += 1
        host, pid, level, text = found.groups()
        process = log.processes.setdefault(f"{host}:{pid}", Process())
        process.rank = process.rank if rank is None else rank
        version = _VERSION.fullmatch(text)
        if version:
            log.version = version[1]
        else:
            _take(process, level, text)
    return log


def _take(process: Process, level: str, text: str) -> None:
    configuration = _CONFIGURATION.fullmatch(text)
    variables = _VARIABLES.fullmatch(text)
    if level in _FAULTY:
        process.fault_count += 1
        if len(process.faults) < FAULT_LIMIT:
            process.faults.append(text[:300])
    elif configuration and (lanes := set(_lanes(configuration[1] or "", configuration[2]))):
        process.lanes |= lanes
    elif variables:
        process.environment |= dict(_VARIABLE.findall(variables[1]))
    else:
        process.unknown += 1


def _lanes(scope: str, text: str) -> Iterator[Lane]:
    for _, ways in _USE.findall(text):
        for transport, device in _LANE.findall(ways):
            yield Lane(scope, transport, device)
