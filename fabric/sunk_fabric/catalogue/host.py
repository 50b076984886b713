"""Checks of hosts: what is there, and how it is set up."""

from __future__ import annotations

from sunk.assess.check import Check, Proof
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import NCCL_DOCS, rows_of

_row = rows_of("host", Domain.HOST)

CHECKS: tuple[Check, ...] = (
    _row(
        "inventory.match",
        "Hardware as ordered",
        proves="the machine has the GPUs, adapters and memory that were ordered",
        reads="lspci, sysfs_rdma, /proc/meminfo (kernel_files)",
        rule="fewer GPUs or adapters than declared is FAIL; memory more than 3 % below is FAIL; "
        "nothing declared is UNKNOWN",
        remedy="reseat or replace the part; compare with a sibling",
        proof=Proof.SIMULATED,
    ),
    _row(
        "kernel.uniform",
        "One set of software per role",
        proves="kernel, RDMA software and GPU driver are the same everywhere",
        reads="uname -a, ofed_info -s, nvidia-smi -q -x",
        rule="more than one kernel, RDMA software or GPU driver on the hosts is WARN",
        remedy="bring the minority to the version of the others",
    ),
    _row(
        "limits.memlock",
        "Memory may be locked without limit",
        proves="RDMA can register the memory that a job asks for",
        reads="/proc/PID/limits of slurmd and of a job",
        rule="anything but unlimited is FAIL for roles with RDMA; the same limit at many processes "
        "is one finding, and explains that of their Pods",
        remedy="set LimitMEMLOCK=infinity for slurmd or the runtime; "
        "PropagateResourceLimitsExcept=MEMLOCK",
        source=NCCL_DOCS,
        proof=Proof.RECORDED,
    ),
    _row(
        "hugepages",
        "Huge pages as declared",
        proves="programs that map huge pages get them",
        reads="nr_hugepages in sysfs (kernel_files)",
        rule="fewer than declared is FAIL; none declared is SKIP",
        remedy="kernel arguments, then restart the kubelet",
    ),
    _row(
        "numa.balancing",
        "No automatic NUMA balancing, no translating IOMMU",
        proves="pages and DMA stay where they are put",
        reads="/proc/sys/kernel/numa_balancing, /proc/cmdline (kernel_files)",
        rule="balancing on for GPU roles, or a translating IOMMU on bare metal, is WARN",
        remedy="numa_balancing=0 and iommu=pt",
        source=NCCL_DOCS,
    ),
    _row(
        "cpu.governor",
        "Processors at full clock",
        proves="latency tests measure the fabric and not sleeping cores",
        reads="scaling_governor in sysfs (kernel_files)",
        rule="anything but performance is WARN; no governor at all is UNKNOWN",
        remedy="set the governor to performance",
        source="perftest, warning about clock rates",
    ),
    _row(
        "modules",
        "Modules of RDMA are loaded",
        proves="programs can open RDMA devices",
        reads="/proc/modules",
        rule="one of mlx5_core, mlx5_ib, ib_uverbs, rdma_cm missing is FAIL",
        remedy="modprobe it, and load it at boot",
        proof=Proof.RECORDED,
    ),
    _row(
        "gdr.path",
        "A way for GPUDirect RDMA",
        proves="adapters can read the memory of GPUs",
        reads="nvidia-smi -q -x, NCCL log, /proc/modules",
        rule="an adapter for which NCCL found none is FAIL; without such a log nvidia_peermem "
        "has to be loaded, and it is UNKNOWN where it is not",
        remedy="load nvidia-peermem, or use open kernel modules with dma-buf",
        source=NCCL_DOCS,
    ),
    _row(
        "gdr.grace",
        "Driver option for Grace machines",
        proves="dma-buf attaches on Grace-Blackwell with drivers before R595",
        reads="nvidia-smi -q -x, /proc/driver/nvidia/params, dmesg",
        rule="on GB200 and GB300: a refused dma-buf is FAIL, and so is a driver before R595 "
        "without the option; other GPUs are SKIP",
        remedy="set the driver parameter NVreg_GrdmaPciTopoCheckOverride=1",
    ),
    _row(
        "dmesg.mlx5",
        "No complaint of the adapter driver",
        proves="driver and firmware of the adapters live",
        reads="dmesg",
        rule="command timeouts, compromised health or unrecoverable errors are FAIL; other "
        "complaints WARN",
        remedy="reset the firmware; if it comes back, replace the card",
        source="mlx5 driver",
    ),
    _row(
        "dmesg.xid",
        "No fatal GPU event",
        proves="GPUs and NVLink switches reported nothing fatal",
        reads="dmesg",
        rule="a fatal Xid or SXid in the two hours before the log was taken, or at a time that "
        "is not known, is FAIL; an older one WARN",
        remedy="drain the node, reset the GPU; if it comes back, replace it",
        source="NVIDIA Xid catalogue",
    ),
    _row(
        "clock.sync",
        "Clocks agree",
        proves="logs and evidence of hosts can be put in order",
        reads="chronyc tracking, or timedatectl show",
        rule="an offset above 50 ms is WARN, above 1 s or not synchronised FAIL; one that is "
        "not told is UNKNOWN",
        remedy="time service",
    ),
    _row(
        "gpu.dcgm",
        "GPU diagnosis passes",
        proves="GPUs work at the level that the gate asks for",
        reads="dcgmi diag -r 2 -j, or more",
        rule="a failed test is FAIL; one that failed over its set-up is UNKNOWN, as is a run that "
        "tested no hardware; a warning is WARN",
        remedy="follow the tool's own advice",
    ),
    _row(
        "gpu.rowremap",
        "GPU memory is healthy",
        proves="no row is about to be remapped, ECC is on",
        reads="nvidia-smi -q -x",
        rule="a pending or failed remap, or ECC off, is FAIL",
        remedy="reset the GPU or replace it",
    ),
)
