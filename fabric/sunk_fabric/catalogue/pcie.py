"""Checks of PCIe between processors, GPUs and adapters."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import KERNEL, NCCL_DOCS, rows_of

_row = rows_of("pcie", Domain.PCIE)

CHECKS: tuple[Check, ...] = (
    _row(
        "link.hca",
        "Adapters at the best that both ends allow",
        proves="no bridge between adapter and root slows it down",
        reads="current and max link speed and width of the adapter and each bridge above it "
        "(sysfs_rdma)",
        rule="current below the smaller of both ends' maxima is FAIL at that bridge; a way that "
        "carries less than the port even at its best, 0.9 of its raw rate, is WARN",
        remedy="reseat the card or riser; look at bifurcation in the firmware; another slot",
        source=KERNEL,
    ),
    _row(
        "link.gpu",
        "GPUs at the best that both ends allow",
        proves="no bridge slows a GPU down under load",
        reads="nvidia-smi -q -x under load",
        rule="low width is FAIL; low generation is FAIL with 10 % load and more, and SKIP with "
        "less, as idle GPUs lower theirs",
        remedy="reseat the GPU or riser",
    ),
    _row(
        "kernel.limited",
        "The kernel saw no bottleneck",
        proves="the slot can carry the port's rate",
        reads='dmesg, "available PCIe bandwidth", and sysfs_rdma',
        rule="limited to less than 1.15 times the port's rate is FAIL, any limit WARN; a log "
        "without the adapter's start is UNKNOWN",
        remedy="look at the bridge that the line names",
    ),
    _row(
        "acs",
        "Access control off between GPU and adapter",
        proves="peer-to-peer traffic takes the short way",
        reads="lspci -vv as root",
        rule="source validation on at a bridge above an adapter, on bare metal, is FAIL",
        remedy="switch ACS off in the firmware, or with setpci at boot",
        source=NCCL_DOCS,
    ),
    _row(
        "relaxed_ordering",
        "Relaxed ordering is on",
        proves="writes of the adapter need not wait for each other",
        reads="lspci -vv as root",
        rule="off at an adapter is WARN",
        remedy="set PCI_WR_ORDERING in the adapter's firmware",
        source="perftest, NCCL",
    ),
    _row(
        "max_read_request",
        "Large read requests",
        proves="reads of host memory keep up with the port",
        reads="lspci -vv as root",
        rule="below 4096 bytes at an adapter is WARN; unequal payload sizes along the path "
        "are WARN",
        remedy="setpci CAP_EXP+8.w, or the firmware's setting",
    ),
    _row(
        "aer",
        "No PCIe errors",
        proves="the links between devices are clean",
        reads="aer_dev_correctable, aer_dev_nonfatal, aer_dev_fatal of the adapter and each bridge "
        "above it (sysfs_rdma), twice",
        rule="growth of fatal or non-fatal errors is FAIL; more than 10 correctable an hour "
        "is WARN",
        remedy="reseat; then the retimer or the slot",
    ),
    _row(
        "h2d_bandwidth",
        "Host to GPU copies at rate",
        proves="the GPU's own link is whole",
        reads="nvbandwidth, text or JSON",
        rule="H100 and H200: below 48 GB/s FAIL, below 50.4 WARN; A100: below 21 FAIL, below 24 "
        "WARN; other models UNKNOWN",
        remedy="see pcie.link.gpu",
        source="published health checks of one cloud",
        generation="H100, H200, A100",
    ),
    _row(
        "p2p_bandwidth",
        "GPU to GPU copies at rate",
        proves="NVLink is whole",
        reads="nvbandwidth, text or JSON",
        rule="H100 SXM: below 335 GB/s FAIL; A100 SXM: below 235 FAIL; other models UNKNOWN",
        remedy="see loc.nvlink.fabric",
        source="published health checks of one cloud",
        generation="H100, A100",
    ),
)
