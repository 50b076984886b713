"""perftest: ib_write_bw, ib_read_bw, ib_send_bw and their latency siblings, as text.

The text is the record: the tools' JSON has no unit, and older releases break it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sunk_fabric.parse.text import Content, Parsed, Reader, printable


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """One row of a bandwidth test.

    Attributes:
        size_bytes: of a message.
        iterations: how many.
        peak_gbit_per_s: best of them; 0 in runs by duration.
        average_gbit_per_s: the figure.
    """

    size_bytes: int
    iterations: int
    peak_gbit_per_s: float
    average_gbit_per_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """One row of a latency test, microseconds.

    Attributes:
        size_bytes: of a message.
        iterations: how many.
        typical_us: the median.
        p99_us: 99th percentile; nothing when not printed.
    """

    size_bytes: int
    iterations: int
    typical_us: float
    p99_us: float | None


@dataclass(frozen=True, slots=True)
class End:
    """One end of a run.

    Attributes:
        lid: of its port; 0 on Ethernet.
        gid: in the kernel's form, ``fe80:0000:…``; empty when not printed.
    """

    lid: int
    gid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run.

    Attributes:
        test: ``RDMA_Write BW Test``; empty when not printed.
        settings: the tool's words: Device, Link type, Mtu, Connection type, GID index.
        bandwidth: rows, in order.
        latency: rows, in order.
        local: this end; nothing when not printed, or printed for several queue pairs unlike.
        remote: the other end.
        gpu: whether the buffers were in a GPU's memory.
    """

    test: str
    settings: Mapping[str, str]
    bandwidth: tuple[Bandwidth, ...]
    latency: tuple[Latency, ...]
    local: End | None = None
    remote: End | None = None
    gpu: bool = False

    @property
    def mtu_bytes(self) -> int | None:
        """Return the RDMA MTU; nothing when the run does not say."""
        found = re.match(r"(\d{1,5})", self.settings.get("Mtu", ""))
        return int(found[1]) if found else None


_UNITS_GBIT = {"Gb/sec": 1.0, "MiB/sec": 2**20 * 8 / 1e9, "MB/sec": 2**20 * 8 / 1e9}
"""Unit -> 10⁹ bits per second. Older releases write MB and count 2²⁰ bytes, as later ones say."""

_TEST = re.compile(r" +((?:RDMA_Write|RDMA_Read|Send|Atomic\w*|Raw\w*)[A-Za-z_ ]* Test)\s*")
_SETTING = re.compile(r" ([A-Za-z#][A-Za-z0-9_.*/ -]{0,40}?)\s*: (.{0,100})")
_HEADER = re.compile(r" #bytes +#iterations +(.*)")
_UNIT = re.compile(r"BW average\[([A-Za-z/]{1,8})\]")
_ROW = re.compile(r" ?(\d{1,12}) +(\d{1,12})((?:[ \t]+[0-9.]{1,20}){1,8})\s*")
_ADDRESS = re.compile(r" (local|remote) address: (?:LID 0x([0-9a-f]{1,4})\b)?.*")
_GID = re.compile(r" GID: (\d{1,3}(?::\d{1,3}){15})\s*")
_GPU_BUFFER = "allocated GPU buffer"
_NOISE = (
    "-----",
    "*****",
    "* Waiting for client",
    "Conflicting CPU frequency",
    "WARNING: ",
    " WARNING: ",
    " Test integrity may be harmed",
    "initializing CUDA",
    "Picking device",
    "CUDA device",
    "creating CUDA",
    "making it the current",
    "allocated GPU buffer",
    "destroying current",
    "Listing all CUDA",
)


@dataclass(slots=True)
class _Building:
    test: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    unit: str = ""
    known: bool = False
    bandwidth: list[Bandwidth] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    ends: dict[str, set[End]] = field(default_factory=lambda: {"local": set(), "remote": set()})
    side: str = ""
    lid: int = 0
    gpu: bool = False

    def end(self, side: str) -> End | None:
        ends = self.ends[side]
        # A line without a GID begins each end; where one follows, it is the whole.
        whole = {one for one in ends if one.gid} or ends
        return next(iter(whole)) if len(whole) == 1 else None


def parse(content: Content) -> Parsed[Run]:
    """Return the run; one without rows, or without a unit, is damage."""
    reader = Reader(content)
    run = _Building()
    for line in reader:
        run.gpu |= line.startswith(_GPU_BUFFER)
        if not _take(run, line) and line.strip() and not line.startswith(_NOISE):
            reader.unknown(line)
    if not run.bandwidth and not run.latency:
        reader.damaged("there is no row of results")
    return reader.outcome(
        Run(
            test=run.test,
            settings=run.settings,
            bandwidth=tuple(run.bandwidth),
            latency=tuple(run.latency),
            local=run.end("local"),
            remote=run.end("remote"),
            gpu=run.gpu,
        )
    )


def _take(run: _Building, line: str) -> bool:
    if _address(run, line):
        return True
    test, header, row = _TEST.fullmatch(line), _HEADER.fullmatch(line), _ROW.fullmatch(line)
    if test:
        run.test = test[1]
    elif header:
        unit = _UNIT.search(header[1])
        run.unit = unit[1] if unit else ""
        # Rows below a header that is not understood would be figures of an unknown unit.
        run.known = run.unit in _UNITS_GBIT or (not unit and "t_typical" in header[1])
        return run.known
    elif row and run.known:
        return _row(run, int(row[1]), int(row[2]), row[3].split())
    else:
        return _settings(run, line)
    return True


def _address(run: _Building, line: str) -> bool:
    place, gid = _ADDRESS.fullmatch(line), _GID.fullmatch(line)
    if place:
        run.side, run.lid = place[1], int(place[2] or "0", 16)
        run.ends[run.side].add(End(run.lid))
    elif gid and run.side:
        numbers = [int(one) % 256 for one in gid[1].split(":")]
        words = (
            f"{high:02x}{low:02x}" for high, low in zip(numbers[::2], numbers[1::2], strict=True)
        )
        run.ends[run.side].add(End(run.lid, ":".join(words)))
    return bool(place or gid)


def _row(run: _Building, size: int, iterations: int, texts: list[str]) -> bool:
    if not all(re.fullmatch(r"\d+(?:\.\d+)?", one) for one in texts):
        return False
    values = [float(one) for one in texts]
    if run.unit and len(values) >= 2:
        factor = _UNITS_GBIT[run.unit]
        run.bandwidth.append(Bandwidth(size, iterations, values[0] * factor, values[1] * factor))
        return True
    if not run.unit and len(values) >= 3:
        p99 = values[5] if len(values) > 5 else None
        run.latency.append(Latency(size, iterations, values[2], p99))
        return True
    return False


def _settings(run: _Building, line: str) -> bool:
    """Take ``name : value``, of which a line has one or two, the second after a tab."""
    pairs = [
        _SETTING.fullmatch(f" {part.strip()}") for part in re.split(r"(?<=\S)\t+(?=[A-Z])", line)
    ]
    if not line.startswith(" ") or not all(pairs):
        return False
    for pair in pairs:
        if pair:
            run.settings[pair[1].strip()] = printable(pair[2].strip())
    return True
