"""Checks of collectives: the way that data went, and how fast."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import DERIVED, NCCL_DOCS, rows_of

_row = rows_of("nccl", Domain.RUNTIME)

CHECKS: tuple[Check, ...] = (
    _row(
        "path.network",
        "The intended network",
        proves="every process uses RDMA",
        reads="NCCL log",
        rule="Socket, or another network than declared, is FAIL whatever the bandwidth; none "
        "told is UNKNOWN",
        remedy="devices in the image; NCCL_IB_HCA",
        source=NCCL_DOCS,
    ),
    _row(
        "path.gdr",
        "GPUDirect on every channel",
        proves="no channel is staged through host memory",
        reads="NCCL log",
        rule="a channel between nodes without it is FAIL; none seen is UNKNOWN",
        remedy="nvidia-peermem or dma-buf; pcie.acs",
        source=NCCL_DOCS,
        depends_on=("nccl.path.network",),
        owner=Domain.PCIE,
    ),
    _row(
        "path.hcas",
        "All compute adapters and no others",
        proves="every rail carries its share",
        reads="NCCL log",
        rule="a missing or foreign adapter is FAIL; without a declared list, another set than "
        "most processes have",
        remedy="NCCL_IB_HCA",
        source=NCCL_DOCS,
        depends_on=("nccl.path.network",),
    ),
    _row(
        "path.algorithm",
        "The algorithm is known",
        proves="a figure can be read as one of the wire",
        reads="NCCL log",
        rule="not told is UNKNOWN",
        remedy="NCCL_DEBUG_SUBSYS with TUNING",
        source=NCCL_DOCS,
        depends_on=("nccl.path.network",),
    ),
    _row(
        "values",
        "Results are right",
        proves="no value was wrong",
        reads="nccl-tests",
        rule="a wrong value is FAIL; not checked is UNKNOWN",
        remedy="stop using these nodes: data corruption outranks bandwidth",
        source="nccl-tests",
    ),
    _row(
        "bandwidth.node",
        "Within a node",
        proves="NVLink gives what it should",
        reads="nccl-tests on one node, with the NCCL log of the same name",
        rule="AllReduce of 1 GiB and more on eight GPUs, in GB/s: H100 SXM below 430 FAIL, below "
        "460 WARN; H200 431 and 455; B200 740 and 800; A100 215 and 228; others UNKNOWN",
        remedy="NVLink",
        generation="A100, H100, H200, B200",
        depends_on=("nccl.values",),
    ),
    _row(
        "bandwidth.scale",
        "Between nodes",
        proves="collectives give what the adapters can carry",
        reads="nccl-tests on several nodes to 1 GiB and more, with the NCCL log of the same name",
        rule="ring bus bandwidth below 0.80 of adapters x rate is FAIL, below 0.85 WARN; more than "
        "10 % less for each doubling of the nodes FAIL, more than 5 % WARN; without a log, with "
        "another algorithm than RING, or above what adapters carry, UNKNOWN",
        remedy="pairs, rails, then congestion",
        source=DERIVED,
        depends_on=("nccl.path.network", "nccl.path.gdr", "nccl.values"),
        owner=Domain.FABRIC,
    ),
    _row(
        "bandwidth.variance",
        "Stable",
        proves="runs agree with each other",
        reads="nccl-tests of the same GPUs and sizes, three runs and more",
        rule="standard deviation of the largest message's bus bandwidth above 5 % of the mean is "
        "WARN, above 10 % FAIL; fewer than three runs are UNKNOWN",
        remedy="heat, congestion",
    ),
    _row(
        "hang",
        "Ends in time",
        proves="collectives complete",
        reads="start, end and exit code of nccl-tests, sunk_jobs.collectives and OSU",
        rule="ended by timeout(1), or longer than run_seconds of --expect, is FAIL; ended otherwise"
        " before its last line is UNKNOWN",
        remedy="ask RAS which rank waits: ncclras",
    ),
    _row(
        "errors",
        "No fault was reported",
        proves="no transfer failed",
        reads="NCCL log",
        rule="a warning or a failed completion is FAIL",
        remedy="the adapter and peer that the line names",
        source=NCCL_DOCS,
        owner=Domain.FABRIC,
    ),
    _row(
        "env.clean",
        "No stray tuning",
        proves="nobody left settings that slow jobs down",
        reads="NCCL log",
        rule="switches that disable RDMA, P2P or shared memory are FAIL; a fixed GID index is WARN",
        remedy="unset them",
        source=NCCL_DOCS,
    ),
    _row(
        "mpi.bandwidth",
        "MPI at rate",
        proves="MPI uses the fabric",
        reads="osu_bw, with the log of UCX_LOG_LEVEL=info of the same name, ucx_log",
        rule="the largest message, 1 MiB and more, below 0.925 of rate x MTU / (MTU + headers) is "
        "FAIL, below 0.966 WARN; a way between nodes that is not RDMA is FAIL; more than the line "
        "carries, or no log that proves the way, is UNKNOWN",
        remedy="transport of the MPI library",
        source=DERIVED,
    ),
    _row(
        "mpi.latency",
        "MPI latency",
        proves="MPI uses the fabric",
        reads="osu_latency",
        rule="the smallest message, 8 bytes and less: above 3 us is WARN, above 10 FAIL, as "
        "sockets take; below 0.7 it is shared memory, and of buffers of GPUs no ceiling is known: "
        "UNKNOWN",
        remedy="transport of the MPI library",
    ),
)
