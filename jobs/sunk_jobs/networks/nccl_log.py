"""Read NCCL's own log: which way the data went, and what broke.

Needs runs with ``NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,ENV,NET,GRAPH,TUNING,NVLS,COLL``. The
lines are those of NCCL 2.18 to 2.30 (src/init.cc, transport/net.cc, transport/net_ib.cc, graph/).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sunk_jobs.networks.log_lines import without_label

FAULT_LIMIT = 1000
"""Lines about faults that are kept; their number is counted on."""


@dataclass(frozen=True, order=True)
class Transport:
    """How a channel travels.

    Attributes:
        kind: ``NET/IB``, ``NET/Socket``, ``P2P/CUMEM``, ``SHM/direct/direct``, ``COLLNET/SHARP``.
        gdr: whether the network card reads the GPU's memory itself (GPUDirect RDMA).
    """

    kind: str
    gdr: bool

    @property
    def between_nodes(self) -> bool:
        """Return whether this leaves the node."""
        return self.kind.startswith(("NET/", "COLLNET/"))


@dataclass(frozen=True, order=True)
class Hca:
    """An adapter that NCCL lists.

    Attributes:
        index: NCCL's number, as in ``NET/IB/3``.
        name: the device, ``mlx5_3``.
        port: its port.
        layer: ``IB`` or ``RoCE``.
    """

    index: int
    name: str
    port: int
    layer: str


@dataclass(frozen=True, order=True)
class Uplink:
    """The adapter that channels of a GPU leave the node by.

    Attributes:
        gpu: its number on the node, as nvidia-smi counts; None where a release before 2.13 prints
            its PCI address instead.
        adapter: NCCL's number of the adapter.
    """

    gpu: int | None
    adapter: int


@dataclass(frozen=True, order=True)
class Tuned:
    """What NCCL chose for one size.

    Attributes:
        collective: ``AllReduce``.
        size_bytes: of the message.
        algorithm: upper case: ``RING``, ``TREE``, ``NVLS``, ``COLLNETDIRECT``.
        protocol: ``SIMPLE``, ``LL``, ``LL128``.
    """

    collective: str
    size_bytes: int
    algorithm: str
    protocol: str


@dataclass
class Process:
    """What one process said.

    Attributes:
        networks: names of the networks in use, ``IB``, ``Socket``, ``AWS Libfabric``.
        hcas: adapters, sorted by index.
        no_device: whether it found no adapter at all.
        channels: transports with how many channels use each.
        uplinks: adapters of its own GPU's channels; not those that go through another rank (PXN).
        gdr: adapter -> whether GPUDirect RDMA is enabled for it.
        plugins: loaded plugins, such as ``collnet plugin SHARP (v11)``.
        collnet_refused: why no in-network reduction, in NCCL's words.
        tuned: algorithms, each once.
        environment: NCCL's variables that it took.
        complete: how many communicators got ready.
        rank: in the largest communicator; None when the log does not say.
        ranks: size of that communicator.
        nvls: whether the GPUs can reduce in their switches; None when the log does not say.
        nvls_connected: whether a communicator set that up, which is not yet its use.
        clique: ranks of its NVLink domain where that spans nodes; None elsewhere.
        provider: of libfabric, ``efa`` or ``cxi``; empty without it.
        unknown: lines that say nothing that is read here.
        faults: warnings and errors, shortened.
        fault_count: how many there were.
    """

    networks: set[str] = field(default_factory=set)
    hcas: tuple[Hca, ...] = ()
    no_device: bool = False
    channels: Counter[Transport] = field(default_factory=Counter)
    uplinks: set[Uplink] = field(default_factory=set)
    gdr: dict[str, bool] = field(default_factory=dict)
    plugins: set[str] = field(default_factory=set)
    collnet_refused: set[str] = field(default_factory=set)
    tuned: set[Tuned] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    complete: int = 0
    rank: int | None = None
    ranks: int = 0
    nvls: bool | None = None
    nvls_connected: bool = False
    clique: int | None = None
    provider: str = ""
    unknown: int = 0
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0


@dataclass
class NcclLog:
    """A whole log.

    Attributes:
        version: ``2.30.7+cuda13.0``; empty when the log does not say.
        processes: ``host:pid`` -> what it said.
        lines: NCCL's own lines.
        foreign: lines of others, such as the program's output.
    """

    version: str = ""
    processes: dict[str, Process] = field(default_factory=dict)
    lines: int = 0
    foreign: int = 0


_PREFIX = re.compile(
    r"(?:\[[0-9 :.-]{1,40}\] )?([A-Za-z0-9_.-]{1,255}):(\d{1,10}):\d{1,10} \[\d{1,4}\] "
    r"(?:\S{1,100}:\d{1,6} (?:\([^)]{1,100}\) )?)?NCCL (INFO|WARN|TRACE|ABORT) (.*)"
)
_CHANNEL = re.compile(r"(?:Channel|CollNet) \d{1,4}(?:/\d{1,4})? : .{1,200}? via (.{1,200})")
_UPLINK = re.compile(
    r"Channel \d{1,4}(?:/\d{1,4})? : \d{1,9}\[([0-9a-f]{1,12})\] -> \d{1,9}\[([0-9a-f]{1,12})\] "
    r"\[(send|receive)\] via NET/IB/(\d{1,4})(?:/.*)?"
)
_LAST_GPU = 99
"""Larger numbers are PCI addresses, which are hexadecimal and end with three digits of a slot."""
_USING = re.compile(r"Using network (.{1,60}?)\s*")
_ASSIGNED = re.compile(r"Assigned NET plugin (.{1,60}) to comm")
_HCAS = re.compile(r"NET/IB : Using (.*)")
_HCA = re.compile(r"\[(\d{1,4})\]([A-Za-z0-9_.+-]{1,64}):(\d{1,3})/(IB|RoCE|uDP|[A-Za-z0-9]{1,12})")
_GDR = re.compile(
    r"NET/IB : GPU Direct RDMA (Enabled|Disabled) for HCA \d{1,4} '([A-Za-z0-9_.-]{1,64})'.*"
)
_PLUGIN = re.compile(r"NET/Plugin: Loaded (.{1,100})")
_TUNED = re.compile(r"(\w{1,40}): (\d{1,20}) Bytes -> Algo (\w{1,40}) proto (\w{1,40})\b.{0,200}")
_ENVIRONMENT = re.compile(r"(NCCL_\w{1,60}) set (?:by environment )?to (.{0,300}?)\.?")
_COMPLETE = re.compile(
    r"(?:.{0,200} rank (\d{1,9}) nranks (\d{1,9}) .{0,400})?.{0,300}Init COMPLETE.*"
)
_NVLS = re.compile(r"NVLS multicast support is (not )?available.*")
_NVLS_TREE = re.compile(r"Connected NVLS tree.*")
_CLIQUE = re.compile(r"\[?MNNVL 1\b.{0,200}?\bcliqueSize (\d{1,9}).*")
_PROVIDER = re.compile(r"NET/OFI Selected [Pp]rovider is (\w{1,40}).*")
_VERSION = re.compile(r"NCCL version (\S{1,60}).{0,100}")
_ALGORITHM_NUMBERS = ("TREE", "RING", "COLLNETDIRECT", "COLLNETCHAIN", "NVLS", "NVLSTREE", "PAT")
_PROTOCOL_NUMBERS = ("LL", "LL128", "SIMPLE")
_REFUSALS = (
    "fallback to non-sharp",
    "disabling CollNet",
    "Set to disable on this communicator",
    "SHARP coll init error",
    "SHARP group create",
    "Local CollNet device counts across ranks",
)
_FAULTS = (
    "Got completion from peer",
    "async fatal event",
    "GID table changed",
    "Call to ibv_",
)


def read(lines: Iterable[str]) -> NcclLog:
    """Return what a log says; memory grows with processes, not with lines."""
    log = NcclLog()
    for labelled in lines:
        line = without_label(labelled)[1]
        version = _VERSION.fullmatch(line)
        found = _PREFIX.fullmatch(line)
        if version:
            log.version = version[1]
        if found is None:
            log.foreign += version is None
            continue
        log.lines += 1
        host, pid, level, text = found.groups()
        said = _VERSION.fullmatch(text)
        if said:
            log.version = said[1]
        _take(log.processes.setdefault(f"{host}:{pid}", Process()), level, text)
    return log


def transport(text: str) -> Transport:
    """Return the transport that stands after ``via``: ``NET/IB/0(3)/GDRDMA/Shared``."""
    gdr = "/GDRDMA" in text
    plain = re.sub(r"\(\w*\)", "", text)
    parts = [one for one in plain.split("/") if one not in {"GDRDMA", "Shared"}]
    kept = [one for one in parts if not one.strip().isdigit()]
    return Transport("/".join(kept).strip(), gdr)


def _take(process: Process, level: str, text: str) -> None:
    if level in {"WARN", "ABORT"} or any(mark in text for mark in _FAULTS):
        process.fault_count += 1
        if len(process.faults) < FAULT_LIMIT:
            process.faults.append(text[:300])
    if any(mark in text for mark in _REFUSALS):
        process.collnet_refused.add(text[:300])
    if "NET/IB : No device found" in text:
        process.no_device = True
    for pattern, taker in _TAKERS:
        found = pattern.fullmatch(text)
        if found:
            taker(process, found)
            return
    process.unknown += 1


def _channel(process: Process, found: re.Match[str]) -> None:
    process.channels[transport(found[1])] += 1
    way = _UPLINK.fullmatch(found[0])
    if way:
        own = way[1] if way[3] == "send" else way[2]
        known = own.isdigit() and int(own) <= _LAST_GPU
        process.uplinks.add(Uplink(int(own) if known else None, int(way[4])))


def _network(process: Process, found: re.Match[str]) -> None:
    process.networks.add(found[1])


def _hcas(process: Process, found: re.Match[str]) -> None:
    seen = {Hca(int(a), name, int(port), layer) for a, name, port, layer in _HCA.findall(found[1])}
    process.hcas = tuple(sorted({*process.hcas, *seen}))


def _gdr(process: Process, found: re.Match[str]) -> None:
    process.gdr[found[2]] = found[1] == "Enabled"


def _plugin(process: Process, found: re.Match[str]) -> None:
    process.plugins.add(found[1].strip())


def _tuned(process: Process, found: re.Match[str]) -> None:
    collective, size, algorithm, protocol = found.groups()
    process.tuned.add(
        Tuned(
            collective,
            int(size),
            _named(algorithm, _ALGORITHM_NUMBERS),
            _named(protocol, _PROTOCOL_NUMBERS),
        )
    )


def _named(word: str, names: tuple[str, ...]) -> str:
    """Return a name: releases before 2.24 print numbers."""
    number = int(word) if word.isdigit() else len(names)
    return names[number] if number < len(names) else word.upper()


def _variable(process: Process, found: re.Match[str]) -> None:
    process.environment[found[1]] = found[2]


def _complete(process: Process, found: re.Match[str]) -> None:
    process.complete += 1
    # Later communicators are mostly parts of the first: the rank in the largest is the program's.
    if found[1] is not None and int(found[2]) > process.ranks:
        process.rank, process.ranks = int(found[1]), int(found[2])


def _nvls(process: Process, found: re.Match[str]) -> None:
    process.nvls = found[1] is None


def _nvls_tree(process: Process, _found: re.Match[str]) -> None:
    process.nvls_connected = True


def _clique(process: Process, found: re.Match[str]) -> None:
    process.clique = int(found[1])


def _provider(process: Process, found: re.Match[str]) -> None:
    process.provider = found[1]


_TAKERS: tuple[tuple[re.Pattern[str], Callable[[Process, re.Match[str]], None]], ...] = (
    (_CHANNEL, _channel),
    (_USING, _network),
    (_ASSIGNED, _network),
    (_HCAS, _hcas),
    (_GDR, _gdr),
    (_PLUGIN, _plugin),
    (_TUNED, _tuned),
    (_ENVIRONMENT, _variable),
    (_COMPLETE, _complete),
    (_NVLS, _nvls),
    (_NVLS_TREE, _nvls_tree),
    (_CLIQUE, _clique),
    (_PROVIDER, _provider),
)
