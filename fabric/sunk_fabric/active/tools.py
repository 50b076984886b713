"""What moves the bytes: the words that start each end of a transfer; pure.

Every server serves one test and ends; those that have no time limit of their own are under
``timeout`` of coreutils, so that nothing listens when its test is over, whatever becomes of us.
mpi4py and torch have no server: both hosts are ranks of one job, and rank 0 prints the matrix of
both ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sunk_fabric.active.layout import NO_RAIL

BASE_PORT = 18515
"""First port of a round's transfers; perftest's own default."""
_GRACE_SECONDS = 5


class ToolName(StrEnum):
    """What can move bytes."""

    PAIR = "pair"
    IB_WRITE_BW = "ib_write_bw"
    IB_WRITE_LAT = "ib_write_lat"
    IPERF3 = "iperf3"
    MPI4PY = "mpi4py"
    TORCH = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How bytes are moved.

    Attributes:
        seconds: longest time of a transfer's sending.
        total_bytes: of a transfer.
        streams: connections, or queue pairs, at once.
        message_bytes: of RDMA messages.
        congestion: congestion control of TCP; the host's own when empty.
        python: what runs our own programs on hosts.
        wait_seconds: how long one end waits for the other to start.
    """

    seconds: float = 5.0
    total_bytes: int = 2**30
    streams: int = 1
    message_bytes: int = 2**23
    congestion: str = ""
    python: str = "python3"
    wait_seconds: float = 5.0

    @property
    def within_seconds(self) -> float:
        """Return when an end gives up, from its start."""
        return self.wait_seconds + self.seconds + _GRACE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """One transfer's place.

    Attributes:
        address: of the receiver.
        port: there.
        rail: device of both; empty without a choice.
    """

    address: str
    port: int
    rail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool.

    Attributes:
        name: how people call it.
        client: words of the sender's end; of both ends when there is no server.
        server: words of the receiver's end; None for a program that is one job on both hosts.
        waits: whether the client waits for its server by itself.
        rdma: whether it moves bytes over RDMA.
        mpi: how such a job's ranks find each other, a word of ``srun --mpi``.
    """

    name: ToolName
    client: Callable[[Ends, Settings], tuple[str, ...]]
    server: Callable[[Ends, Settings], tuple[str, ...]] | None = None
    waits: bool = False
    rdma: bool = False
    mpi: str = "none"


def _pair_server(ends: Ends, how: Settings) -> tuple[str, ...]:
    words = (how.python, "-m", "sunk_jobs.pair", "serve", f"--port={ends.port}")
    return (*words, f"--within={how.within_seconds:g}")


def _pair_client(ends: Ends, how: Settings) -> tuple[str, ...]:
    words = (how.python, "-m", "sunk_jobs.pair", "send", f"--to={ends.address}")
    sizes = (f"--port={ends.port}", f"--bytes={how.total_bytes}", f"--streams={how.streams}")
    times = (f"--seconds={how.seconds:g}", f"--within={how.within_seconds:g}")
    chosen = (f"--congestion={how.congestion}",) if how.congestion else ()
    return (*words, *sizes, *times, f"--connect={how.wait_seconds:g}", *chosen)


def limited(how: Settings, *words: str) -> tuple[str, ...]:
    """Return words that end by themselves when their time is over."""
    return ("timeout", "--kill-after=1", f"{math.ceil(how.within_seconds)}", *words)


def _iperf3_server(ends: Ends, how: Settings) -> tuple[str, ...]:
    return limited(how, "iperf3", "--server", "--one-off", "--port", str(ends.port))


def _iperf3_client(ends: Ends, how: Settings) -> tuple[str, ...]:
    # Bytes and not --time: it takes whole seconds, and 0 of them is for ever.
    words = ("iperf3", "--json", "--client", ends.address, "--port", str(ends.port))
    sizes = ("--bytes", str(how.total_bytes), "--parallel", str(how.streams))
    return (*words, *sizes, *(("--congestion", how.congestion) if how.congestion else ()))


def _perftest(kind: str, ends: Ends, how: Settings) -> tuple[str, ...]:
    device = ("-d", ends.rail) if ends.rail != NO_RAIL else ()
    if kind == "ib_write_lat":
        return (kind, *device, "-p", str(ends.port), "-s", "2", "-F")
    length = max(1, math.floor(how.seconds))
    sizes = ("-s", str(how.message_bytes), "-q", str(how.streams), "-D", str(length))
    return (kind, *device, "-p", str(ends.port), *sizes, "-F", "--report_gbits")


def _perftest_tool(name: ToolName) -> Tool:
    return Tool(
        name=name,
        server=lambda ends, how: limited(how, *_perftest(name, ends, how)),
        client=lambda ends, how: (*_perftest(name, ends, how), ends.address),
        rdma=True,
    )


def _ranks(how: Settings) -> tuple[str, ...]:
    """Return options of the collective programs for one pair of ranks."""
    messages = max(1, math.ceil(how.total_bytes / how.message_bytes))
    sizes = (f"--pair-bytes={how.message_bytes}", f"--samples={messages}", "--warmups=1")
    return ("--collectives=pairwise", *sizes, "--ranks=2")


def _mpi(_ends: Ends, how: Settings) -> tuple[str, ...]:
    return (how.python, "-m", "sunk_jobs.collectives", *_ranks(how))


def _torch(ends: Ends, how: Settings) -> tuple[str, ...]:
    meet = ("--rdzv-backend=c10d", f"--rdzv-endpoint={ends.address}:{ends.port}")
    launch = ("-m", "sunk_jobs.torchrun", "--nnodes=2", "--nproc-per-node=1", *meet)
    program = ("-m", "sunk_jobs.torch_collectives", *_ranks(how))
    return (how.python, *launch, *program)


TOOLS: Mapping[ToolName, Tool] = {
    ToolName.PAIR: Tool(name=ToolName.PAIR, server=_pair_server, client=_pair_client, waits=True),
    ToolName.IPERF3: Tool(name=ToolName.IPERF3, server=_iperf3_server, client=_iperf3_client),
    ToolName.MPI4PY: Tool(name=ToolName.MPI4PY, client=_mpi, waits=True, mpi="pmix"),
    ToolName.TORCH: Tool(name=ToolName.TORCH, client=_torch, waits=True),
    ToolName.IB_WRITE_BW: _perftest_tool(ToolName.IB_WRITE_BW),
    ToolName.IB_WRITE_LAT: _perftest_tool(ToolName.IB_WRITE_LAT),
}
