"""Checks of locality between GPUs, adapters and processors."""

from __future__ import annotations

from sunk.assess.check import Check
from sunk.assess.verdict import Domain
from sunk_fabric.catalogue.row import KERNEL, NCCL_DOCS, rows_of

_row = rows_of("loc", Domain.PCIE)

CHECKS: tuple[Check, ...] = (
    _row(
        "topo.matrix",
        "Each GPU has a near adapter",
        proves="traffic of a GPU takes one PCIe bridge",
        reads="nvidia-smi topo -m",
        rule="a GPU whose nearest adapter is farther than PXB is FAIL",
        remedy="slot; topology of the virtual machine",
        source=NCCL_DOCS,
    ),
    _row(
        "topo.sysfs",
        "The PCI tree agrees",
        proves="locality from two sources is the same",
        reads="sysfs, nvidia-smi topo -m",
        rule="another answer than nvidia-smi's to whether a GPU has an adapter behind bridges "
        "alone is UNKNOWN; without nvidia-smi, no such adapter is FAIL",
        remedy="slot; topology of the virtual machine",
        source=KERNEL,
    ),
    _row(
        "numa",
        "Adapters know their NUMA node",
        proves="the kernel can place memory near them",
        reads="sysfs_rdma",
        rule="unknown (-1) is WARN",
        remedy="firmware",
        source=KERNEL,
    ),
    _row(
        "pod.gpu_nic",
        "Devices of a Pod are near each other",
        proves="what a Pod gets works together",
        reads="Pods' list, nvidia-smi topo -m inside the Pod",
        rule="a GPU of which the Pod has no adapter at PIX or PXB is FAIL; a Pod that asked for no "
        "GPU is SKIP",
        source=NCCL_DOCS,
        remedy="dynamic resource allocation, or whole nodes",
    ),
    _row(
        "rank.nic",
        "Each rank uses its own adapter",
        proves="no rank crosses processors to reach the fabric",
        reads="NCCL log, nvidia-smi topo -m",
        rule="a channel between nodes by an adapter at SYS of its GPU is FAIL, by one that is "
        "farther than another is WARN; channels through another rank (PXN) are not asked",
        remedy="NCCL_IB_HCA; the topology file",
        source=NCCL_DOCS,
        explained_by=("loc.topo.matrix",),
    ),
    _row(
        "task.cpu",
        "Tasks run near their devices",
        proves="no task crosses processors",
        reads="devices that tasks of jobs have open and Cpus_allowed_list, in /proc; local_cpulist "
        "in sysfs",
        rule="a task that may use a processor which is not near the GPU or the adapter that it has "
        "open is WARN; one with devices of several places is SKIP, if a processor is near one",
        source=KERNEL,
        remedy="Cores in gres.conf",
        owner=Domain.SCHEDULER,
    ),
    _row(
        "nvlink.fabric",
        "NVLink domain is complete",
        proves="GPUs of a rack are one domain",
        reads="nvidia-smi",
        rule="in progress, or two domains, is FAIL",
        remedy="fabric manager, IMEX",
    ),
)
