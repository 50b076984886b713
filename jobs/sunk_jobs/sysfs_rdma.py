"""Read what the kernel says about RDMA devices and their PCIe paths, from sysfs.

``python -m sunk_jobs.sysfs_rdma`` prints one JSON object. Every file is read by its own try: real
kernels leave out whole folders (rxe has no ``counters``), and reading an unused entry of the GID
table is EINVAL. What could not be read is listed, so that absent and unreadable stay apart.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SYS = Path("/sys")
_BDF = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ZERO_GID = "0000:0000:0000:0000:0000:0000:0000:0000"
_FILE_LIMIT_BYTES = 4096
_NETWORK_CLASS = "0x02"
"""Of PCI: Ethernet, InfiniBand and other network controllers."""


@dataclass
class PciFunction:
    """One PCI function on the way from the device to the root complex.

    Attributes:
        address: ``0000:9c:00.0``.
        values: file -> text, such as ``current_link_speed`` -> ``32.0 GT/s PCIe``.
    """

    address: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class GidEntry:
    """One used entry of a GID table.

    Attributes:
        index: its place.
        gid: the address.
        type: ``IB/RoCE v1``, ``RoCE v2``; empty when the kernel does not say.
        netdev: the network device; empty when the kernel does not say.
    """

    index: int
    gid: str
    type: str = ""
    netdev: str = ""


@dataclass
class RdmaPort:
    """One port.

    Attributes:
        number: from 1.
        values: file -> text: state, phys_state, rate, lid, sm_lid, link_layer, cap_mask.
        gids: used entries, by index.
        pkeys: used entries of the partition table, as ``0x7fff``.
        counters: the standard's, by the kernel's name.
        hw_counters: the driver's.
    """

    number: int
    values: dict[str, str] = field(default_factory=dict)
    gids: list[GidEntry] = field(default_factory=list)
    pkeys: list[str] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    hw_counters: dict[str, int] = field(default_factory=dict)


@dataclass
class RdmaDevice:
    """One device.

    Attributes:
        name: ``mlx5_0``.
        values: file -> text: node_guid, fw_ver, board_id, hca_type, node_desc.
        ports: by number.
        pci: its function first, then every bridge above it; empty without a PCI device.
        numa_node: of the device; nothing when the kernel does not know.
        total_vfs: what the firmware allows; nothing where there is no SR-IOV.
        vfs: PCI addresses of its virtual functions.
        is_vf: whether it is one itself.
        driver: ``mlx5_core``; empty when the kernel does not say.
        netdevs: its network devices in this network namespace.
    """

    name: str
    values: dict[str, str] = field(default_factory=dict)
    ports: list[RdmaPort] = field(default_factory=list)
    pci: list[PciFunction] = field(default_factory=list)
    numa_node: int | None = None
    total_vfs: int | None = None
    vfs: list[str] = field(default_factory=list)
    is_vf: bool = False
    driver: str = ""
    netdevs: list[str] = field(default_factory=list)


@dataclass
class SriovCard:
    """One physical function of a network card that can have virtual ones.

    Attributes:
        address: ``0000:9c:00.0``.
        netdevs: its network devices in this network namespace.
        total_vfs: what the firmware allows; nothing when the kernel does not say.
        num_vfs: how many there are to be; nothing when the kernel does not say.
        vfs: PCI addresses of those that are there, by number.
    """

    address: str
    netdevs: list[str] = field(default_factory=list)
    total_vfs: int | None = None
    num_vfs: int | None = None
    vfs: list[str] = field(default_factory=list)


@dataclass
class Snapshot:
    """What one host's sysfs says.

    Attributes:
        has_rdma: whether the kernel has the class at all.
        devices: sorted by name.
        cards: those with SR-IOV, by address; nothing where there is no PCI bus to look at.
        unreadable: path below sysfs -> why, such as ``EACCES``.
    """

    has_rdma: bool = False
    devices: list[RdmaDevice] = field(default_factory=list)
    cards: list[SriovCard] | None = None
    unreadable: dict[str, str] = field(default_factory=dict)


_DEVICE_FILES = ("node_guid", "sys_image_guid", "node_desc", "fw_ver", "hca_type", "board_id")
_PORT_FILES = ("state", "phys_state", "rate", "lid", "sm_lid", "cap_mask", "link_layer")
_PCI_FILES = (
    *("current_link_speed", "max_link_speed", "current_link_width", "max_link_width"),
    *("vendor", "device", "class", "numa_node"),
    *("aer_dev_fatal", "aer_dev_nonfatal", "aer_dev_correctable"),
)


def read(root: Path = SYS) -> Snapshot:
    """Return a snapshot of sysfs below `root`; never raises on what is there or not."""
    reading = Reading(root)
    base = root / "class" / "infiniband"
    snapshot = Snapshot(has_rdma=reading.is_folder(base), unreadable=reading.unreadable)
    for folder in reading.folders(base):
        snapshot.devices.append(_device(reading, folder))
    bus = root / "bus" / "pci" / "devices"
    if reading.is_folder(bus):
        cards = (_card(reading, one) for one in reading.folders(bus))
        snapshot.cards = [one for one in cards if one is not None]
    return snapshot


class Reading:
    """File access below one root that notes what it was refused, and never raises for it.

    Attributes:
        root: what paths are told below.
        unreadable: path below the root -> why, such as ``EACCES``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unreadable: dict[str, str] = {}

    def text(self, file: Path) -> str | None:
        """Return a file's text without white space around; nothing when absent or refused."""
        try:
            with file.open("rb") as opened:
                return opened.read(_FILE_LIMIT_BYTES).decode("utf-8", "backslashreplace").strip()
        except FileNotFoundError:
            return None
        except OSError as exc:
            code = errno.errorcode.get(exc.errno or 0, str(exc.errno))
            self.unreadable[os.path.relpath(file, self.root)] = code
            return None

    def texts(self, folder: Path, names: tuple[str, ...]) -> dict[str, str]:
        """Return the files of a folder that are there."""
        found = {name: self.text(folder / name) for name in names}
        return {name: text for name, text in found.items() if text is not None}

    def numbers(self, folder: Path) -> dict[str, int]:
        """Return a folder of counters."""
        files = [one for one in self.entries(folder) if not self.is_folder(one)]
        found = {one.name: number(self.text(one)) for one in files}
        return {name: count for name, count in found.items() if count is not None}

    def entries(self, folder: Path) -> list[Path]:
        """Return what is in a folder, numbers in their order; nothing when it is not there."""
        try:
            return sorted(folder.iterdir(), key=_natural)
        except OSError:
            return []

    def folders(self, folder: Path) -> list[Path]:
        """Return the folders in a folder."""
        return [one for one in self.entries(folder) if self.is_folder(one)]

    def is_folder(self, path: Path) -> bool:
        """Return whether a path leads to a folder that can be reached."""
        return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a folder is closed

    def target(self, link: Path) -> str:
        """Return the last name of where a link points, which need not be there; empty: no link."""
        try:
            return link.readlink().name
        except OSError:
            return ""

    def real(self, path: Path) -> Path | None:
        """Return where a path leads in the end; nothing when it leads nowhere."""
        try:
            return path.resolve(strict=True)
        except (OSError, RuntimeError):
            return None


def number(text: str | None) -> int | None:
    """Return a whole number of at most 20 digits; nothing when the text is none."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,20}", text) else None


def _natural(path: Path) -> tuple[tuple[int, str], ...]:
    words = re.split(r"([0-9]+)", path.name)
    return tuple((int(one), "") if at % 2 else (-1, one) for at, one in enumerate(words))


def _device(reading: Reading, folder: Path) -> RdmaDevice:
    device = RdmaDevice(name=folder.name, values=reading.texts(folder, _DEVICE_FILES))
    for port in reading.folders(folder / "ports"):
        if number(port.name) is not None:
            device.ports.append(_port(reading, port))
    pci = reading.real(folder / "device")
    if pci is None:
        return device
    device.pci = pci_path(reading, pci)
    device.numa_node = number(device.pci[0].values.get("numa_node")) if device.pci else None
    device.total_vfs = number(reading.text(pci / "sriov_totalvfs"))
    device.vfs = _functions(reading, pci)
    device.is_vf = os.path.lexists(pci / "physfn")
    device.driver = reading.target(pci / "driver")
    device.netdevs = [one.name for one in reading.folders(pci / "net")]
    return device


def _functions(reading: Reading, pci: Path) -> list[str]:
    links = [one for one in reading.entries(pci) if re.fullmatch(r"virtfn[0-9]+", one.name)]
    return [name for one in links if (name := reading.target(one))]


def _card(reading: Reading, pci: Path) -> SriovCard | None:
    total = number(reading.text(pci / "sriov_totalvfs"))
    if total is None or not (reading.text(pci / "class") or "").startswith(_NETWORK_CLASS):
        return None
    return SriovCard(
        address=pci.name,
        netdevs=[one.name for one in reading.folders(pci / "net")],
        total_vfs=total,
        num_vfs=number(reading.text(pci / "sriov_numvfs")),
        vfs=_functions(reading, pci),
    )


def _port(reading: Reading, folder: Path) -> RdmaPort:
    port = RdmaPort(number=int(folder.name), values=reading.texts(folder, _PORT_FILES))
    for entry in reading.entries(folder / "gids"):
        gid = reading.text(entry)
        index = number(entry.name)
        if gid and gid != _ZERO_GID and index is not None:
            kind = reading.text(folder / "gid_attrs" / "types" / entry.name) or ""
            netdev = reading.text(folder / "gid_attrs" / "ndevs" / entry.name) or ""
            port.gids.append(GidEntry(index, gid, kind, netdev))
    keys = [reading.text(entry) for entry in reading.entries(folder / "pkeys")]
    port.pkeys = [key for key in keys if key and key != "0x0000"]
    port.counters = reading.numbers(folder / "counters")
    port.hw_counters = reading.numbers(folder / "hw_counters")
    return port


def pci_path(reading: Reading, device: Path) -> list[PciFunction]:
    """Return the function and the bridges above it, which are the folders above its own."""
    found = []
    for folder in (device, *device.parents):
        if not _BDF.fullmatch(folder.name):
            break
        found.append(PciFunction(folder.name, reading.texts(folder, _PCI_FILES)))
    return found


def as_json(snapshot: Snapshot) -> str:
    """Return a snapshot as one line of sorted JSON."""
    return json.dumps(asdict(snapshot), sort_keys=True)


def main(arguments: list[str] | None = None) -> int:
    """Print the snapshot of this host, or of a copy of its sysfs."""
    parser = argparse.ArgumentParser(
        prog="sunk_jobs.sysfs_rdma", description="RDMA devices of this host as one JSON object."
    )
    parser.add_argument("--root", type=Path, default=SYS, help="a sysfs or a copy of one")
    options: Any = parser.parse_args(arguments)
    print(as_json(read(options.root)))  # noqa: T201 - the program's output
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
