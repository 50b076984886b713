"""Copies of a node's sysfs and procfs, simulated: laid out as the drivers lay theirs.

No node with such adapters was at hand: files and their words follow the kernel's documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MELLANOX, AMAZON = "0x15b3", "0x1d0f"


@dataclass(frozen=True)
class Adapter:
    """An RDMA device with one port."""

    name: str
    rate: str = "400 Gb/sec (4X NDR)"
    layer: str = "InfiniBand"
    state: str = "4: ACTIVE"
    netdev: str = ""
    gid_type: str = ""
    vf: bool = False
    vendor: str = MELLANOX


def lay_out(
    root: Path,
    adapters: tuple[Adapter, ...] = (),
    *,
    nets: dict[str, int] | None = None,
    default: str = "",
    cxi: tuple[str, ...] = (),
) -> tuple[Path, Path]:
    """Write the trees below `root`; return where sysfs and procfs are.

    Args:
        root: an empty folder.
        adapters: RDMA devices.
        nets: network device -> MTU; all are up.
        default: the one with the default route.
        cxi: devices of class cxi.
    """
    sys, proc = root / "sys", root / "proc"
    for number, one in enumerate(adapters):
        pci = sys / f"devices/pci0000:00/0000:{number + 1:02x}:00.0"
        _write(pci / "vendor", one.vendor)
        if one.vf:
            (pci / "physfn").mkdir()
        folder = sys / "class/infiniband" / one.name
        port = folder / "ports/1"
        words = {"state": one.state, "rate": one.rate, "link_layer": one.layer}
        for name, word in words.items():
            _write(port / name, word)
        _write(port / "gids/0", "fe80:0000:0000:0000:0000:0000:0000:0001")
        if one.gid_type:
            _write(port / "gid_attrs/types/0", one.gid_type)
        if one.netdev:
            _write(port / "gid_attrs/ndevs/0", one.netdev)
        (folder / "device").symlink_to(pci)
    for name, mtu in (nets or {}).items():
        _write(sys / "class/net" / name / "operstate", "up")
        _write(sys / "class/net" / name / "mtu", str(mtu))
    for name in cxi:
        (sys / "class/cxi" / name).mkdir(parents=True)
    lines = ["Iface\tDestination\tGateway"]
    if default:
        lines.append(f"{default}\t00000000\t0100000A")
    _write(proc / "net/route", "\n".join(lines))
    return sys, proc


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")
