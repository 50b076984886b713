"""What programs print that reduce in the network and without: nccl-tests, NCCL, osu_allreduce."""

from __future__ import annotations

from collections.abc import Iterable

SIZES = (8388608, 16777216, 33554432)


def table(gb_per_s: float, hosts: Iterable[str] = ("a", "b")) -> str:
    """Return what all_reduce_perf prints: one GPU on each host, one rate at all sizes."""
    lines = ["# nccl-tests version 2.17.6", "# Using devices"]
    lines += [
        f"#  Rank  {at} Group  0 Pid  {100 + at} on {host:>10} device  0 [0x0a] NVIDIA H100 PCIe"
        for at, host in enumerate(hosts)
    ]
    for size in SIZES:
        half = f"{size / gb_per_s / 1000:.2f}  {gb_per_s:.2f}  {gb_per_s * 2:.2f}  0"
        lines.append(f"  {size}  {size // 4}  float  sum  -1  {half}  {half}")
    lines += ["# Out of bounds values : 0 OK", f"# Avg bus bandwidth    : {gb_per_s * 2}", ""]
    return "\n".join(lines)


def log(
    algorithm: str, *, network: bool, hosts: Iterable[str] = ("a", "b"), more: Iterable[str] = ()
) -> str:
    """Return NCCL's log: which algorithm at all sizes, and whether channels go into the network."""
    said = ["Using network IB", "Channel 00/0 : 0[0] -> 1[0] [send] via NET/IB/0/GDRDMA"]
    said += ["CollNet 00/0 : 0 [send] via COLLNET/SHARP/0/GDRDMA"] if network else []
    said += [f"AllReduce: {size} Bytes -> Algo {algorithm} proto SIMPLE channel" for size in SIZES]
    said += more
    return "".join(f"{host}:7:9 [0] NCCL INFO {one}\n" for host in hosts for one in said)


def with_sharp(**more) -> str:
    """Return NCCL's log of a run that reduced in the network."""
    return log("COLLNETDIRECT", network=True, **more)


def without_sharp(**more) -> str:
    """Return NCCL's log of a run that did without."""
    return log("RING", network=False, **more)
