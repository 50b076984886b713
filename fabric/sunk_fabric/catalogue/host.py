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
        proves="the machine has the processors, memory, GPUs and adapters of its model",
        reads="/sys/devices/virtual/dmi/id, lscpu -J, /proc/meminfo, lspci",
        rule="a count too small is FAIL; memory within 3 % is PASS",
        remedy="reseat or replace the part; compare with a sibling",
    ),
    _row(
        "kernel.uniform",
        "One set of software per role",
        proves="kernel, drivers and firmware of a role are the same everywhere",
        reads="uname -r, ofed_info -s, fw_ver, nvidia-smi",
        rule="more than one variant in a role is WARN; one outside the declared matrix is FAIL",
        remedy="bring the minority to the version of the others",
    ),
    _row(
        "limits.memlock",
        "Memory may be locked without limit",
        proves="RDMA can register the memory that a job asks for",
        reads="/proc/PID/limits of slurmd and of a job",
        rule="anything but unlimited is FAIL for roles with RDMA",
        remedy="set LimitMEMLOCK=infinity for slurmd or the runtime; "
        "PropagateResourceLimitsExcept=MEMLOCK",
        source=NCCL_DOCS,
        proof=Proof.RECORDED,
    ),
    _row(
        "hugepages",
        "Huge pages as declared",
        proves="programs that map huge pages get them",
        reads="/sys/kernel/mm/hugepages, allocatable hugepages of the Node",
        rule="fewer than declared is FAIL",
        remedy="kernel arguments, then restart the kubelet",
    ),
    _row(
        "numa.balancing",
        "No automatic NUMA balancing, no translating IOMMU",
        proves="pages and DMA stay where they are put",
        reads="/proc/sys/kernel/numa_balancing, /proc/cmdline",
        rule="balancing on for GPU roles, or a translating IOMMU on bare metal, is WARN",
        remedy="numa_balancing=0 and iommu=pt",
        source=NCCL_DOCS,
    ),
    _row(
        "cpu.governor",
        "Processors at full clock",
        proves="latency tests measure the fabric and not sleeping cores",
        reads="cpufreq in sysfs",
        rule="powersave is WARN",
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
        reads="/proc/modules, NCCL log",
        rule="neither nvidia_peermem nor dma-buf is FAIL for GPU roles",
        remedy="load nvidia-peermem, or use open kernel modules with dma-buf",
        source=NCCL_DOCS,
    ),
    _row(
        "gdr.grace",
        "Driver option for Grace machines",
        proves="dma-buf attaches on Grace-Blackwell with drivers before R595",
        reads="/proc/driver/nvidia/params",
        rule="option for the PCIe topology check missing there is FAIL",
        remedy="set the driver parameter NVreg_GrdmaPciTopoCheckOverride=1",
    ),
    _row(
        "dmesg.mlx5",
        "No complaint of the adapter driver",
        proves="driver and firmware of the adapters live",
        reads="kernel log",
        rule="command timeouts, compromised health or unrecoverable errors are FAIL; other "
        "complaints WARN",
        remedy="reset the firmware; if it comes back, replace the card",
    ),
    _row(
        "dmesg.xid",
        "No fatal GPU event",
        proves="GPUs and NVLink switches reported nothing fatal",
        reads="kernel log",
        rule="a fatal Xid or SXid in the last two hours is FAIL",
        remedy="drain the node, reset the GPU; if it comes back, replace it",
    ),
    _row(
        "clock.sync",
        "Clocks agree",
        proves="logs and evidence of hosts can be put in order",
        reads="chronyc tracking",
        rule="an offset above 50 ms is WARN, above 1 s FAIL",
        remedy="time service",
    ),
    _row(
        "gpu.dcgm",
        "GPU diagnosis passes",
        proves="GPUs work at the level that the gate asks for",
        reads="dcgmi diag -j",
        rule="a defect is FAIL; a diagnosis that could not be set up is UNKNOWN",
        remedy="follow the tool's own advice",
    ),
    _row(
        "gpu.rowremap",
        "GPU memory is healthy",
        proves="no row is about to be remapped, ECC is on",
        reads="nvidia-smi -q -x",
        rule="a pending or failed remap is FAIL",
        remedy="reset the GPU or replace it",
    ),
)
