"""What one host says of its networks and GPUs, read from sysfs, procfs and nvidia-smi.

Whatever is there or not, reading ends: what could not be found out is None or listed as unreadable.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sunk_jobs.fabric_env.nvlink import GpuFabric, parse_smi
from sunk_jobs.probe import node_name
from sunk_jobs.sysfs_rdma import PciFunction, Reading, Snapshot, number, pci_path, read

LIBRARY_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/amazon/ofi-nccl/lib")
_SMI_SECONDS = 60
_NVIDIA = "0x10de"
_GPU_CLASSES = ("0x0300", "0x0302")
_LOOPBACK = 772
_IPOIB = 32
_DEFAULT = "00000000"
_OFI_PLUGIN = re.compile(r"libnccl-net(-ofi|-aws-ofi)?\.so.*")
_GRANT = re.compile(r"PCIDEVICE_[A-Z0-9_]+")
_BDF = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


@dataclass(frozen=True)
class Sources:
    """Where to read.

    Attributes:
        sysfs: ``/sys``, or a copy of one.
        proc: ``/proc``, or a copy.
        dev: ``/dev``, or a copy.
        smi: file with the output of ``nvidia-smi -q``; None: run it, when all else is this host's.
    """

    sysfs: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    smi: Path | None = None


@dataclass(frozen=True)
class Interface:
    """A network interface.

    Attributes:
        name: ``eth0``.
        mtu_bytes: None when the kernel does not say.
        rate_gbps: of the link; None when the driver does not say.
        up: operstate; None when the kernel does not say.
        virtual: without a device below it, such as a bridge.
        ethernet: neither loopback nor IP over InfiniBand.
        default_route: whether the default route of least metric goes out here.
    """

    name: str
    mtu_bytes: int | None = None
    rate_gbps: float | None = None
    up: bool | None = None
    virtual: bool = False
    ethernet: bool = True
    default_route: bool = False


@dataclass(frozen=True)
class CxiDevice:
    """A Slingshot adapter.

    Attributes:
        name: ``cxi0``.
        interfaces: its network interfaces, ``hsn0``.
    """

    name: str
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gpu:
    """A GPU by its place.

    Attributes:
        path: its PCI function first, then the bridges above it, by address.
        numa_node: None when the kernel does not know.
    """

    path: tuple[str, ...]
    numa_node: int | None = None


@dataclass(frozen=True)
class Host:
    """A host.

    Attributes:
        node: its name in Slurm.
        host: its own name, as libraries print it.
        rdma: RDMA devices.
        interfaces: by name; None when they cannot be listed.
        cxi: Slingshot adapters.
        gpus: NVIDIA's.
        gpu_fabric: of each GPU that nvidia-smi told of; None without its answer.
        imex_channels: how many IMEX channels the job may use.
        peer_memory: whether adapters can read GPU memory; None when not known.
        ofi_plugins: files of NCCL's libfabric plugin on the library path.
        memlock_bytes: most locked memory, -1 without a limit; None when not known.
        environment: variables that say something about networks.
        granted: PCI addresses that a device plugin granted to this Pod.
        unreadable: what could not be read, and why.
    """

    node: str
    host: str
    rdma: Snapshot = field(default_factory=Snapshot)
    interfaces: tuple[Interface, ...] | None = None
    cxi: tuple[CxiDevice, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    gpu_fabric: tuple[GpuFabric, ...] | None = None
    imex_channels: int = 0
    peer_memory: bool | None = None
    ofi_plugins: tuple[str, ...] = ()
    memlock_bytes: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    granted: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def interface(self, name: str) -> Interface | None:
        """Return an interface of this network namespace, or nothing."""
        return next((one for one in self.interfaces or () if one.name == name), None)


def examine(sources: Sources, environment: Mapping[str, str]) -> Host:
    """Return what this host says.

    Args:
        sources: where to read.
        environment: the task's variables.
    """
    reading = Reading(sources.sysfs)
    rdma = read(sources.sysfs)
    gpus = _gpus(reading)
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return Host(
        node=node_name(environment, platform.node()),
        host=platform.node().partition(".")[0],
        rdma=rdma,
        interfaces=_interfaces(reading, sources.proc),
        cxi=_cxi(reading),
        gpus=gpus,
        gpu_fabric=_gpu_fabric(sources),
        imex_channels=_imex_channels(sources.dev),
        peer_memory=_peer_memory(reading, sources.proc) if gpus else None,
        ofi_plugins=tuple(_ofi_plugins(environment)),
        memlock_bytes=-1 if locked == resource.RLIM_INFINITY else locked,
        environment=_about_networks(environment),
        granted=_granted(environment),
        unreadable={**rdma.unreadable, **reading.unreadable},
    )


def _about_networks(environment: Mapping[str, str]) -> dict[str, str]:
    prefixes = ("NCCL_", "FI_", "UCX_", "OMPI_MCA_", "SHARP_")
    return {name: value for name, value in environment.items() if name.startswith(prefixes)}


def _granted(environment: Mapping[str, str]) -> tuple[str, ...]:
    words = (value for name, value in environment.items() if _GRANT.fullmatch(name))
    found = {one for text in words for one in text.split(",") if _BDF.fullmatch(one)}
    return tuple(sorted(found))


def _interfaces(reading: Reading, proc: Path) -> tuple[Interface, ...] | None:
    folder = reading.root / "class" / "net"
    if not reading.is_folder(folder):
        return None
    route = _default_route(reading, proc)
    found = []
    for one in reading.folders(folder):
        kind = number(reading.text(one / "type"))
        if kind == _LOOPBACK:
            continue
        speed = _silent_number(one / "speed")
        state = reading.text(one / "operstate")
        found.append(
            Interface(
                name=one.name,
                mtu_bytes=number(reading.text(one / "mtu")),
                rate_gbps=speed / 1000 if speed else None,
                up=None if state in {None, "", "unknown"} else state == "up",
                virtual=reading.real(one / "device") is None,
                ethernet=kind != _IPOIB,
                default_route=one.name == route,
            )
        )
    return tuple(found)


def _silent_number(file: Path) -> int | None:
    """Return a number; reading the speed of a link that has none is an error of no interest."""
    try:
        return number(file.read_bytes()[:32].decode("ascii", "replace").strip())
    except OSError:
        return None


def _default_route(reading: Reading, proc: Path) -> str:
    """Return the interface of the default route with the least metric; empty without one."""
    rows = [line.split() for line in (reading.text(proc / "net" / "route") or "").splitlines()]
    routes = [
        (metric, row[0])
        for row in rows
        if len(row) > 7 and row[1] == row[7] == _DEFAULT and (metric := number(row[6])) is not None
    ]
    return min(routes)[1] if routes else ""


def _cxi(reading: Reading) -> tuple[CxiDevice, ...]:
    return tuple(
        CxiDevice(one.name, tuple(net.name for net in reading.folders(one / "device" / "net")))
        for one in reading.folders(reading.root / "class" / "cxi")
    )


def _gpus(reading: Reading) -> tuple[Gpu, ...]:
    found = []
    for one in reading.folders(reading.root / "bus" / "pci" / "devices"):
        kind = reading.text(one / "class") or ""
        if not kind.startswith(_GPU_CLASSES) or reading.text(one / "vendor") != _NVIDIA:
            continue
        real = reading.real(one)
        path: list[PciFunction] = [] if real is None else pci_path(reading, real)
        numa = number(reading.text(one / "numa_node"))
        found.append(Gpu(tuple(each.address for each in path), numa))
    return tuple(found)


def _gpu_fabric(sources: Sources) -> tuple[GpuFabric, ...] | None:
    if sources.smi is not None:
        return parse_smi(sources.smi.read_text(errors="replace"))
    program = shutil.which("nvidia-smi")
    if program is None or sources.sysfs != Sources().sysfs:
        return None
    try:
        done = subprocess.run(
            [program, "-q"], capture_output=True, text=True, errors="replace",
            timeout=_SMI_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_smi(done.stdout)


def _imex_channels(dev: Path) -> int:
    try:
        names = os.listdir(dev / "nvidia-caps-imex-channels")  # noqa: PTH208 - names are enough
    except OSError:
        return 0
    return sum(1 for name in names if re.fullmatch(r"channel[0-9]+", name))


def _peer_memory(reading: Reading, proc: Path) -> bool | None:
    """Return whether adapters reach GPU memory: by nvidia_peermem, or by DMA-BUF.

    DMA-BUF takes the open kernel modules; of closed ones without nvidia_peermem it is known that
    there is no way.
    """
    if reading.is_folder(reading.root / "module" / "nvidia_peermem"):
        return True
    version = reading.text(proc / "driver" / "nvidia" / "version")
    return None if version is None else "Open Kernel Module" in version


def _ofi_plugins(environment: Mapping[str, str]) -> Iterator[str]:
    wanted = environment.get("NCCL_NET_PLUGIN", "")
    if wanted and ctypes.util.find_library(wanted):
        yield wanted
    folders = [one for one in environment.get("LD_LIBRARY_PATH", "").split(":") if one]
    for folder in dict.fromkeys([*folders, *LIBRARY_FOLDERS]):
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are enough
        except OSError:
            continue
        yield from (f"{folder}/{name}" for name in names if _OFI_PLUGIN.fullmatch(name))
