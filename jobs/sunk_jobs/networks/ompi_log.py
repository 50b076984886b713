"""Read Open MPI's own words: which components it chose, and what it reaches other nodes by.

Needs runs with ``OMPI_MCA_pml_base_verbose=10``; for libfabric also ``OMPI_MCA_mtl_base_verbose``,
for plain transports ``OMPI_MCA_btl_base_verbose``. The lines are those of Open MPI 3 to 5
(ompi/mca/pml/base, opal/mca/base, ompi/mca/bml/r2, ompi/mca/mtl/ofi).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from sunk_jobs.networks import log_lines

FAULT_LIMIT = 1000
"""Lines about faults that are kept; their number is counted on."""


@dataclass
class Process:
    """What one process said.

    Attributes:
        rank: from the label of its lines; None without one.
        selected: framework -> component, ``pml`` -> ``ucx``.
        transports: byte transfer layer -> nodes that it reaches: ``tcp`` -> {``w2``}.
        provider: of libfabric, ``efa``; empty without it.
        faults: what went wrong, shortened.
        fault_count: how often.
        unknown: lines of Open MPI that say nothing that is read here.
    """

    rank: int | None = None
    selected: dict[str, str] = field(default_factory=dict)
    transports: dict[str, set[str]] = field(default_factory=dict)
    provider: str = ""
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    unknown: int = 0


@dataclass
class OmpiLog:
    """A whole log.

    Attributes:
        processes: ``host:pid`` -> what it said.
        lines: Open MPI's own lines.
        foreign: lines of others.
    """

    processes: dict[str, Process] = field(default_factory=dict)
    lines: int = 0
    foreign: int = 0


_PREFIX = re.compile(r"\[([A-Za-z0-9_.-]{1,255}):(\d{1,10})\] (.*)")
_OURS = re.compile(
    r"(?:mca:? ?(?:base|bml|btl|pml|mtl)|select:|selected |check:select|\S{1,60}\.[ch]:\d{1,6}"
    r"|\[\[\d{1,9},\d{1,9}\],\d{1,9}\] selected pml|PML |pml_|btl: |mtl).*"
)
_PML = re.compile(
    r"(?:selected (\w{1,40}) best priority -?\d{1,9}|select: component (\w{1,40}) selected)"
)
_SELECTED = re.compile(r"mca:base:select:\( {0,20}(\w{1,40})\) Selected component \[(\w{1,40})\]")
_BTL = re.compile(r"mca: bml: Using (\w{1,40}) btl for send to \S{1,60} on node (\S{1,255})")
_PROVIDER = re.compile(r"\S{1,60}:\d{1,6}:? mtl:ofi:prov(?:ider)?: (\S{1,60})\s*")
_FAULTS = re.compile(
    r".{0,200}(?:selected pml \w{1,40}, but peer .{0,200} selected pml"
    r"|cannot be selected|No components were able to be opened).*"
)


def read(lines: Iterable[str]) -> OmpiLog:
    """Return what a log says; memory grows with processes, not with lines."""
    log = OmpiLog()
    for labelled in lines:
        rank, line = log_lines.without_label(labelled)
        found = _PREFIX.fullmatch(line)
        if found is None or not _OURS.fullmatch(found[3]):
            log.foreign += 1
            continue
        log.lines += 1
        process = log.processes.setdefault(f"{found[1]}:{found[2]}", Process())
        process.rank = process.rank if rank is None else rank
        _take(process, found[3])
    return log


def _take(process: Process, text: str) -> None:
    pml, selected = _PML.fullmatch(text), _SELECTED.fullmatch(text)
    way, provider = _BTL.fullmatch(text), _PROVIDER.fullmatch(text)
    if pml:
        process.selected["pml"] = pml[1] or pml[2]
    elif selected:
        process.selected[selected[1]] = selected[2]
    elif way:
        process.transports.setdefault(way[1], set()).add(way[2])
    elif provider:
        process.provider = provider[1]
    elif _FAULTS.fullmatch(text):
        process.fault_count += 1
        if len(process.faults) < FAULT_LIMIT:
            process.faults.append(text[:300])
    else:
        process.unknown += 1
