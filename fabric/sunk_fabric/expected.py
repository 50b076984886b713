"""What a site declares about itself, and thresholds that come from physics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sunk_fabric import limits
from sunk_fabric.limits import Limit, limit
from sunk_fabric.parse.vllm_bench import RATES, WAITS, is_figure

TRAINING = ("step_seconds", "tflops_per_gpu", "tokens_per_s")
"""Figures of a training run that a site may declare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What should be there; whatever is left out is judged by majority, or not known.

    Attributes:
        adapters_per_host: RDMA devices of a host.
        gpus_per_host: GPUs of a host.
        memory_gib_per_host: memory of a host, 2³⁰ bytes each.
        hugepages: size in the kernel's words -> pages of a host: ``2048kB`` -> 512.
        lossless_priority: priority of RDMA on Ethernet, 0 to 7.
        roce_dscp: DSCP of RDMA on Ethernet, 0 to 63.
        port_gbit_per_s: rate of every compute port.
        rdma_mtu_bytes: MTU of RDMA messages.
        oversubscription: down to up that was designed: 1 for a full tree.
        nccl_network: name in NCCL's words: ``IB``.
        nccl_adapters: names of the adapters that collectives use.
        vf_trust: whether virtual functions are trusted.
        vf_spoof_check: whether cards drop frames of functions with a foreign sender.
        pkeys: partition keys of every InfiniBand port, as ``0xffff``.
        mounts: mount point -> transport: ``rdma``, ``tcp`` or ``any``.
        storage_gds: file systems that read straight into GPU memory, in gdscheck's words: ``NFS``.
        storage_adapters: names of the adapters that are for storage alone.
        storage_gb_per_s: what was measured -> 10⁹ bytes per second that were contracted: ``read``
            and ``write`` of one run of fio, or a phase of io500: ``ior-easy-write``.
        metadata_per_s: operation of mdtest or phase of io500 -> how many a second were contracted:
            ``File creation``, ``mdtest-easy-stat``.
        training: figure of a training run -> what is declared: ``step_seconds`` at most,
            ``tokens_per_s`` of all ranks and ``tflops_per_gpu`` at least.
        inference: figure of a load generator, in its words -> what is declared: rates such as
            ``tokens_per_second`` at least, waits such as ``p99_ttft_ms`` at most.
        run_seconds: what a run of a collective test may take, from start to end.
        rdma_netns: ``shared`` or ``exclusive``.
        routing_engine: of opensm: ``ftree``, ``updn``.
        sharp: whether reduction in the network was bought.
        sharp_types: what the workload reduces: ``float32``, ``bfloat16``.
        rails: resources of virtual functions that every node has, without their prefix: ``rail0``.
        job_nodes: nodes of the largest job that is promised.
        thresholds: id of a check -> what is PASS and what is FAIL, for those of
            `sunk_fabric.limits`: ``rdma.pair.bandwidth`` -> 0.95, 0.90.
        not_applicable: prefix of a check's id -> reason, for what the site does not have.
    """

    adapters_per_host: int | None = None
    gpus_per_host: int | None = None
    memory_gib_per_host: float | None = None
    hugepages: Mapping[str, int] = field(default_factory=dict)
    lossless_priority: int | None = None
    roce_dscp: int | None = None
    port_gbit_per_s: float | None = None
    rdma_mtu_bytes: int = 4096
    oversubscription: float = 1.0
    nccl_network: str = "IB"
    nccl_adapters: tuple[str, ...] = ()
    pkeys: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    storage_gds: tuple[str, ...] = ()
    storage_adapters: tuple[str, ...] = ()
    storage_gb_per_s: Mapping[str, float] = field(default_factory=dict)
    metadata_per_s: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, float] = field(default_factory=dict)
    inference: Mapping[str, float] = field(default_factory=dict)
    run_seconds: float | None = None
    vf_trust: bool | None = None
    vf_spoof_check: bool | None = None
    rdma_netns: str | None = None
    routing_engine: str | None = None
    sharp: bool = False
    sharp_types: tuple[str, ...] = ()
    rails: tuple[str, ...] = ()
    job_nodes: int | None = None
    thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)

    def limit(self, name: str) -> Limit:
        """Return the limits of a check."""
        return limit(name, self.thresholds)

    @property
    def problem(self) -> str:
        """Return what is wrong with a name or a limit, in words; empty when nothing is."""
        for name in sorted(set(self.training) - set(TRAINING)):
            return f"training: {name!r} is no figure; those are {', '.join(TRAINING)}"
        for name in sorted(self.inference):
            if not is_figure(name):
                waits = ", ".join(f"p99_{one}_ms" for one in WAITS)
                return (
                    f"inference: {name!r} is no figure; those are {', '.join(RATES)}, and waits"
                    f" such as {waits}, of which there are mean_, median_ and other percentiles"
                )
        return limits.problem(self.thresholds)


INFINIBAND_OVERHEAD_BYTES = 26
"""LRH 8 + BTH 12 + ICRC 4 + VCRC 2, for each packet."""
ROCE_OVERHEAD_BYTES = 82
"""Preamble 8 + gap 12 + Ethernet 14 + IPv4 20 + UDP 8 + BTH 12 + ICRC 4 + FCS 4."""
ROCE_DEVICE_HEADERS_BYTES = 58
"""What a network device's MTU must hold beside the payload: IPv4 20 + UDP 8 + BTH 12 + RETH 16,
and 2 to spare; the kernel asks for as much."""
PCIE_SHARE = 0.90
"""Usable part of a PCIe link at a payload of 256 bytes. Derived from headers; proposal."""
_ENCODING = {2.5: 0.8, 5.0: 0.8, 8.0: 128 / 130, 16.0: 128 / 130, 32.0: 128 / 130, 64.0: 0.985}
"""Transfer rate of a PCIe lane in GT/s -> share that is data."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that a path can carry.

    Attributes:
        gbit_per_s: 10⁹ payload bits per second.
        derivation: how it was computed, in words.
    """

    gbit_per_s: float
    derivation: str


def bandwidth_ceiling(
    rate_gbit_per_s: float, mtu_bytes: int, *, ethernet: bool, pcie_gbit_per_s: float | None = None
) -> Ceiling:
    """Return rate x MTU / (MTU + headers), or the usable part of PCIe where that is less."""
    headers = ROCE_OVERHEAD_BYTES if ethernet else INFINIBAND_OVERHEAD_BYTES
    wire = rate_gbit_per_s * mtu_bytes / (mtu_bytes + headers)
    words = f"{rate_gbit_per_s:g} Gb/s x {mtu_bytes}/{mtu_bytes + headers} = {wire:.1f}"
    if pcie_gbit_per_s is None or pcie_gbit_per_s * PCIE_SHARE >= wire:
        return Ceiling(wire, words)
    usable = pcie_gbit_per_s * PCIE_SHARE
    return Ceiling(usable, f"PCIe {pcie_gbit_per_s:.0f} Gb/s x {PCIE_SHARE} = {usable:.1f}")


def pcie_gbit_per_s(speed_gt_per_s: float, width: int) -> float | None:
    """Return what a PCIe link carries, before packet headers; nothing for unknown speeds."""
    share = _ENCODING.get(speed_gt_per_s)
    return None if share is None else speed_gt_per_s * share * width
